"""A cluster that was started by hand, as docs/blocks.md tells: a scheduler and two workers, processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import zarr

import segraft
from segraft.blocks import predict
from segraft.data import open_dataset
from segraft.images.reading import read_labels
from shared.in_blocks import same


@contextmanager
def dask(*words: str, folder: Path) -> Iterator[None]:
    """A command of Dask that runs meanwhile."""
    with open(folder / f"{words[0]}.log", "a") as log:
        process = subprocess.Popen([sys.executable, "-m", "dask", *words], stdout=log, stderr=log, cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def address_in(file: Path) -> str:
    """The address that a scheduler writes down once it runs."""
    until = time.monotonic() + 60
    while not file.exists() or not file.stat().st_size:
        assert time.monotonic() < until, "the scheduler did not start"
        time.sleep(0.1)
    return str(json.loads(file.read_text())["address"])


@pytest.mark.slow
def test_two_workers_that_were_started_by_hand(tmp_path: Path) -> None:
    image = open_dataset("synthetic", None, "test", count=1, size=(160, 192))[0].image[0]
    zarr.create_array(tmp_path / "image.zarr", shape=image.shape, dtype=image.dtype, chunks=(64, 64))[:] = image
    place, with_one = tmp_path / "scheduler.json", ("--nthreads", "1", "--no-dashboard")
    with ExitStack() as running:
        told = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(place))
        running.enter_context(dask("scheduler", *told, folder=tmp_path))
        address = address_in(place)
        for _ in range(2):
            running.enter_context(dask("worker", address, *with_one, folder=tmp_path))
        given = {"blocks": 64, "scheduler": address, "max_memory": 2.0}
        objects = predict("nuclei", tmp_path / "image.zarr", out=tmp_path / "labels.zarr", **given)
    labels, whole = read_labels(tmp_path / "labels.zarr"), segraft.load("nuclei", "cpu").predict(image)
    assert objects == labels.max() == whole.max()
    assert same(np.asarray(labels, np.int64), np.asarray(whole, np.int64))
