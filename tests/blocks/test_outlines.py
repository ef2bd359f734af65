"""Outlines written block by block, against those of the whole image."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.blocks.label_store import blocks_of, create, write_block
from segraft.blocks.objects import Objects, measure_block, merge
from segraft.blocks.outlines import join_outlines, outlines_of_block
from segraft.errors import UserError
from segraft.labels.outlines import outlines, write_outlines
from shared.labels import LABELS
from shared.messages import one_line


def stored(path: Path, labels: np.ndarray, block: tuple[int, ...]) -> list[Objects]:
    """Write labels block by block; return the objects that begin in each block."""
    create(path, labels.shape, labels.dtype, block)
    for box in blocks_of(path):
        write_block(path, box, labels[box])
    parts = [measure_block(labels[box], None, box) for box in blocks_of(path)]
    return merge(parts).by_block(blocks_of(path))


def pieces(path: Path, objects: list[Objects]) -> Iterator[bytes]:
    return (outlines_of_block(path, box, each) for box, each in zip(blocks_of(path), objects, strict=True))


@settings(max_examples=40, deadline=None)
@given(LABELS, st.integers(1, 10), st.integers(1, 10))
def test_blocks_have_the_outlines_of_the_whole_image(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray, height: int, width: int
) -> None:
    folder = tmp_path_factory.mktemp("outlines")
    objects = stored(folder / "a.zarr", labels, (height, width))
    join_outlines(folder / "a.geojson", pieces(folder / "a.zarr", objects))
    found = json.loads((folder / "a.geojson").read_text())
    assert list(found) == ["type", "features"]
    found["features"].sort(key=lambda feature: int(feature["properties"]["name"]))
    assert found == outlines(labels)


def test_one_block_gives_the_very_file(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 9, (12, 15)).repeat(4, 0).repeat(3, 1).astype(np.uint64) << 60
    objects = stored(tmp_path / "a.zarr", labels, (48, 45))
    join_outlines(tmp_path / "a.geojson", pieces(tmp_path / "a.zarr", objects))
    write_outlines(tmp_path / "b.geojson", labels)
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()


def test_no_objects_are_no_error(tmp_path: Path) -> None:
    objects = stored(tmp_path / "a.zarr", np.zeros((12, 15), np.uint32), (5, 5))
    join_outlines(tmp_path / "a.geojson", pieces(tmp_path / "a.zarr", objects))
    assert json.loads((tmp_path / "a.geojson").read_text()) == {"type": "FeatureCollection", "features": []}


def test_volumes_have_no_outlines(tmp_path: Path) -> None:
    objects = stored(tmp_path / "a.zarr", np.ones((4, 5, 6), np.uint32), (4, 5, 6))
    with pytest.raises(UserError, match="2-D") as error:
        list(pieces(tmp_path / "a.zarr", objects))
    assert one_line(error)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left") as error:
        join_outlines(tmp_path / "a.geojson", [b"{}"])
    assert "a.geojson" in one_line(error)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_is_one_line(small_disk: Path) -> None:
    with pytest.raises(UserError, match="No space left") as error:
        join_outlines(small_disk / "a.geojson", [b"{}" * 20_000] * 5)
    assert "a.geojson" in one_line(error)
    assert not list(small_disk.iterdir())
