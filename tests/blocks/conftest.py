"""What tests of blocks share."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conftest import discs


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two workers of Dask, which all tests share: they take seconds to start."""
    import dask
    from distributed import LocalCluster

    from segraft.blocks.cluster import RULES

    with dask.config.set(RULES), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=60) as started:
            yield started


@pytest.fixture
def predict(cluster: Any) -> Callable[..., int]:
    """Predicts by the model that comes with the package, in blocks of 32 × 32 pixels, on the shared workers."""
    from segraft import blocks

    return partial(blocks.predict, "nuclei", blocks=32, scheduler=cluster.scheduler_address)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Cells, 80 × 96 pixels, as a zarr of small chunks."""
    import zarr

    path, pixels = tmp_path / "cells.zarr", discs(1, 96, 12)[0][:80]
    array = zarr.create_array(path, shape=pixels.shape, dtype=pixels.dtype, chunks=(16, 16))
    array[:] = pixels
    return path


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 KB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", place]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk may be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)
