"""What workers there are, and what each may take."""

from __future__ import annotations

import os

import pytest

from segraft.blocks import cluster as of_dask
from segraft.blocks.orders import Workers
from segraft.errors import UserError


def test_memory_of_a_cluster_is_what_its_workers_are_allowed(cluster, monkeypatch):
    limits = [each["memory_limit"] / each["nthreads"] for each in cluster.scheduler_info["workers"].values()]
    assert Workers("auto", cluster.scheduler_address).memory == pytest.approx(0.9 * min(limits))
    assert Workers("auto", cluster.scheduler_address, max_memory=2.0).memory == 2e9


def test_workers_without_a_limit_must_be_told(monkeypatch):
    class Unlimited:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def scheduler_info(self, n_workers):
            return {"workers": {"a": {"memory_limit": 0, "nthreads": 1}}}

    monkeypatch.setattr(of_dask, "_connected", lambda address, patience: Unlimited())
    with pytest.raises(UserError, match=r"max_memory: got none, .* workers of tcp://x without a limit.*--max-memory"):
        of_dask.memory_of("tcp://x", 1.0)


def test_each_worker_uses_one_core_whatever_the_environment_says(monkeypatch):
    import dask
    from distributed.nanny import _get_env_variables

    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with dask.config.set(of_dask.RULES), of_dask._one_thread():
        told = _get_env_variables("distributed.nanny.pre-spawn-environ")
    assert told["OMP_NUM_THREADS"] == "1"
    assert "MALLOC_TRIM_THRESHOLD_" not in told
    assert os.environ["OMP_NUM_THREADS"] == "8"
