"""Workers of Dask: those of this machine, or those of a cluster that runs already."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from segraft.errors import UserError
from segraft.terminal.progress import say

RULES = {
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,  # nothing is kept in workers
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 1.0,
    "distributed.scheduler.allowed-failures": 3,
    "distributed.nanny.pre-spawn-environ.OMP_NUM_THREADS": 1,
}
"""Of workers on this machine: one that takes more memory than it was given is ended, and its block tried again."""
WAIT = "10s"
"""For a scheduler to answer."""


@contextmanager
def workers(scheduler: str | None, count: int, memory: float) -> Iterator[Any]:
    """Yield a client of ``count`` processes of this machine with so many bytes each, or of the cluster at an address.

    Raises ``UserError`` where Dask is not installed, and where no scheduler or no worker answers.
    """
    if find_spec("distributed") is None:
        raise UserError(
            "blocks: Dask is not installed, expected dask and distributed; run: pip install 'segraft[blocks]'"
        )
    with _connected(scheduler) if scheduler else _started(count, memory) as client:
        if client.dashboard_link:
            hint = "" if find_spec("bokeh") else " (which needs the package bokeh)"
            say(f"{len(client.scheduler_info()['workers'])} workers; dashboard: {client.dashboard_link}{hint}")
        yield client


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of a cluster that runs."""
    from distributed import Client

    try:
        client = Client(address, timeout=WAIT)
    except (OSError, ValueError, TimeoutError) as error:
        raise UserError(
            f"scheduler {address} does not answer ({_words(error)}), expected a running one, tcp://HOST:8786; start "
            "it (dask scheduler), or check the address"
        ) from error
    try:
        client.wait_for_workers(1, timeout=60)
    except TimeoutError as error:
        client.close()
        raise UserError(
            f"scheduler {address} has no workers, expected one at least; start some: dask worker {address} --nthreads 1"
        ) from error
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _started(count: int, memory: float) -> Iterator[Any]:
    """A client of processes of this machine, which end with it."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(RULES),
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            memory_limit=int(memory),
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
