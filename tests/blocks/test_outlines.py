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

from segraft.blocks import outlines as of_blocks
from segraft.blocks import pyramid
from segraft.blocks.label_store import blocks_of, create, factors, level_count, read_box, write_block, write_coarser
from segraft.blocks.objects import Objects, measure_block, merge
from segraft.blocks.outlines import BEGIN, END, join_outlines, outlines_of_block
from segraft.errors import UserError
from segraft.labels.outlines import mask_polygons, outlines, write_outlines
from shared.labels import LABELS
from shared.messages import one_line


def stored(path: Path, labels: np.ndarray, block: tuple[int, ...]) -> list[Objects]:
    """Write labels block by block; return the objects that begin in each block."""
    create(path, labels.shape, labels.dtype, block)
    for box in blocks_of(path):
        write_block(path, box, labels[box])
    parts = [measure_block(labels[box], None, box) for box in blocks_of(path)]
    return merge(parts).by_block(blocks_of(path))


def with_levels(path: Path, labels: np.ndarray, block: tuple[int, ...]) -> list[Objects]:
    """As ``stored``, and all coarser levels."""
    objects = stored(path, labels, block)
    for level in range(1, level_count(path)):
        for box in blocks_of(path, level):
            write_coarser(path, level, box)
    return objects


def pieces(path: Path, objects: list[Objects]) -> Iterator[bytes]:
    return (outlines_of_block(path, box, each, 10**9).text for box, each in zip(blocks_of(path), objects, strict=True))


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


def vertices(polygons: list) -> list:
    """The corners of each ring, whatever it begins with."""
    return sorted(sorted(map(tuple, ring[1:])) for polygon in polygons for ring in polygon)


def features_of(text: bytes) -> list[dict]:
    return json.loads(BEGIN + text + END)["features"]


def as_drawn(path: Path, number: int, box: tuple[slice, slice], level: int, space: tuple[int, int]) -> np.ndarray:
    """Pixels ``(*box)`` that an object has where a coarser level is magnified, or that it touches there."""
    by = factors(path)[level]
    coarse = read_box(path, tuple(slice(side) for side in blocks_of(path, level).space), level) == number
    if not coarse.any():
        inside = np.pad(
            read_box(path, tuple(map(slice, space))) == number,
            [(0, -side % step) for side, step in zip(space, by, strict=True)],
        )
        coarse = inside.reshape(coarse.shape[0], by[0], coarse.shape[1], by[1]).any((1, 3))
    return coarse.repeat(by[0], 0).repeat(by[1], 1)[box]


@settings(max_examples=15, deadline=None)
@given(LABELS, st.integers(2, 6), st.integers(2, 6), st.integers(1, 40))
def test_objects_of_large_boxes_are_outlined_on_the_first_level_that_fits(
    tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray, height: int, width: int, largest: int
) -> None:
    path = tmp_path_factory.mktemp("outlines") / "a.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramid, "LARGEST_SIDE", 1)
        objects = with_levels(path, labels, (height, width))
    exact = {each["properties"]["name"]: each for each in outlines(labels)["features"]}
    for block, each in zip(blocks_of(path), objects, strict=True):
        found = outlines_of_block(path, block, each, largest)
        features = features_of(found.text)
        assert found.steps == [each["properties"]["coarse"] for each in features if "coarse" in each["properties"]]
        for feature, first, end in zip(features, each.first.tolist(), each.end.tolist(), strict=True):
            box, inside = tuple(map(slice, first, end)), all(np.array(end) <= [side.stop for side in block])
            if inside or np.prod(np.subtract(end, first)) <= largest:
                assert feature == exact[feature["properties"]["name"]]
            else:
                check_coarse(path, feature, box, largest, labels.shape)


def check_coarse(path: Path, feature: dict, box: tuple[slice, slice], largest: int, space: tuple[int, int]) -> None:
    """A feature is drawn as on the first level on which its box has no more than so many pixels."""
    sizes = [
        np.prod([-(-side.stop // by) - side.start // by for side, by in zip(box, scale, strict=True)])
        for scale in factors(path)
    ]
    level = next(level for level, size in enumerate(sizes) if size <= largest)
    assert feature["properties"]["coarse"] == max(factors(path)[level])
    drawn = feature["geometry"]["coordinates"]
    mask = as_drawn(path, int(feature["properties"]["name"]), box, level, space)
    expected = mask_polygons(mask, (box[0].start, box[1].start))
    assert vertices([drawn] if feature["geometry"]["type"] == "Polygon" else drawn) == vertices(expected)


def test_no_more_than_a_workers_memory_holds_is_read_of_an_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object of two lines that run along all of the image, and one that is everywhere too rare for coarse levels."""
    labels = np.full((700, 900), 7, np.uint32)
    labels[3], labels[:, 5] = 1, 1
    labels[20::40, 20::40] = 9
    objects = with_levels(tmp_path / "a.zarr", labels, (200, 300))
    seen = []

    def read(path: Path, box: tuple[slice, ...], level: int = 0) -> np.ndarray:
        seen.append(np.prod([side.stop - side.start for side in box]))
        return read_box(path, box, level)

    monkeypatch.setattr(of_blocks, "read_box", read)
    parts = [
        outlines_of_block(tmp_path / "a.zarr", box, each, 160_000)
        for box, each in zip(blocks_of(tmp_path / "a.zarr"), objects, strict=True)
    ]
    assert max(seen) <= 160_000
    features = features_of(b",".join(part.text for part in parts if part.text))
    assert {each["properties"]["name"]: each["properties"]["coarse"] for each in features} == dict.fromkeys("179", 2)


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
