"""Objects measured block by block, against the same measured at once."""

from __future__ import annotations

import csv
import errno
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.blocks import object_table
from segraft.blocks.cutting import Grid
from segraft.blocks.object_table import WHOLE_MASKS, check_table, table_columns, write_objects
from segraft.blocks.objects import Objects, measure_block, merge
from segraft.errors import UserError
from segraft.labels.measured_objects import measure, table, write_rows
from shared.labels import HUGE, label_images
from shared.messages import one_line


def in_blocks(labels: np.ndarray, image: np.ndarray | None, block: tuple[int, ...]) -> list[Objects]:
    return [
        measure_block(labels[box], None if image is None else image[(slice(None), *box)], box)
        for box in Grid(labels.shape, block)
    ]


def expected_columns(labels: np.ndarray, image: np.ndarray | None, voxel_size: Any) -> dict[str, list[Any]]:
    names, rows = table(labels, image, voxel_size)
    return {name: [row[name] for row in rows] for name in names if not name.startswith(WHOLE_MASKS)}


IMAGES = (np.uint8, np.uint16, np.uint32, np.int16, np.float32, np.bool_)


def grey(dtype: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Random grey values over the whole range of a type of integers, or around 0; few of bool are true."""
    rng = np.random.default_rng(0)
    if dtype == np.bool_:
        return rng.random(shape) < 0.1
    if dtype == np.float32:
        return rng.normal(size=shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@given(label_images(HUGE, np.uint64), st.data())
def test_blocks_measure_what_the_whole_image_does(labels: np.ndarray, data: st.DataObject) -> None:
    block = data.draw(st.tuples(*[st.integers(1, 7)] * labels.ndim))
    channels = data.draw(st.integers(0, 2))
    dtype = data.draw(st.sampled_from(IMAGES))
    voxel_size = data.draw(st.sampled_from([None, (40.0, 4.0, 9.0)[: labels.ndim], (5.0,) * labels.ndim]))
    image = grey(dtype, (channels, *labels.shape)) if channels else None
    parts = in_blocks(labels, image, block)
    merged = merge(data.draw(st.permutations(parts)))
    for one, other in zip(merge(parts), merged, strict=True):  # floats, too, in whatever order blocks come
        np.testing.assert_array_equal(one, other)
    found = table_columns(merged, voxel_size)
    expected = expected_columns(labels, image, voxel_size)
    assert list(found) == list(expected)
    for name, values in found.items():
        exact = name in ("id", "area") or name.startswith(("min_", "max_")) or "intensity" in name
        if exact and dtype != np.float32:
            assert values.tolist() == expected[name], name
        else:
            assert values == pytest.approx(expected[name], rel=1e-6, abs=1e-6), name


def test_merging_may_go_by_steps() -> None:
    labels = np.random.default_rng(0).integers(0, 5, (20, 30, 10)).astype(np.uint32)
    image = np.random.default_rng(1).integers(0, 2**16, (1, *labels.shape)).astype(np.uint16)
    parts = in_blocks(labels, image, (7, 8, 9))
    for one, other in zip(merge(parts), merge([merge(parts[:5]), merge(parts[5:9]), *parts[9:]]), strict=True):
        np.testing.assert_array_equal(one, other)


def test_grey_values_of_32_bits_add_up_exactly() -> None:
    labels = np.ones((1100, 1000), np.uint32)
    image = np.full((1, *labels.shape), 2**32 - 1, np.uint32)
    merged = merge(in_blocks(labels, image, (1100, 1000)))
    assert merged.total.tolist() == [[1_100_000 * (2**32 - 1)]]


def test_results_are_kept_as_arrays(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 5, (9, 9)).astype(np.uint32)
    (part,) = in_blocks(labels, None, (9, 9))
    np.savez(tmp_path / "part.npz", **part._asdict())
    with np.load(tmp_path / "part.npz") as kept:
        for one, other in zip(part, Objects(**kept), strict=True):
            np.testing.assert_array_equal(one, other)


def test_unknown_pixels_are_no_object() -> None:
    labels = np.array([[-1, -1, 3], [0, 3, 3]])
    assert merge(in_blocks(labels, None, (1, 2))).id.tolist() == [3]


@pytest.mark.parametrize("piece", [1, 2, 100])
def test_tables_hold_what_was_measured(tmp_path: Path, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_table, "AT_ONCE", piece)
    labels = np.array([[0, 1, 1, 0], [2, 2, 0, 9]], np.uint64) * np.uint64(2**60)
    image = np.array([[[9, 1, 3, 0], [5, 5, 9, 4]]], np.uint8)
    objects = merge(in_blocks(labels, image, (2, 2)))
    write_objects(tmp_path / "deep" / "a.csv", objects)
    write_objects(tmp_path / "a.parquet", objects)
    with open(tmp_path / "deep" / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["area"], row["mean_intensity"]) for row in rows] == [
        (str(2**60), "2", "2.0"),
        (str(2**61), "2", "5.0"),
        (str(9 * 2**60), "1", "4.0"),
    ]
    found = pyarrow.parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert found == {name: values.tolist() for name, values in table_columns(objects).items()}
    assert {name: [float(row[name]) for row in rows] for name in found} == found


def test_tables_are_written_as_those_of_whole_images(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.uint32)
    labels[1:3, 2:4, 5], labels[0, 0, 0] = 3, 8
    image = np.arange(120, dtype=np.uint16).reshape(1, 4, 5, 6)
    write_rows(tmp_path / "whole.csv", table(labels, image))
    write_objects(tmp_path / "blocks.csv", merge(in_blocks(labels, image, (4, 5, 6))))
    assert (tmp_path / "blocks.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_no_objects_are_no_error(tmp_path: Path) -> None:
    objects = merge(in_blocks(np.zeros((5, 6), np.uint32), None, (3, 3)))
    write_objects(tmp_path / "a.csv", objects)
    write_objects(tmp_path / "a.parquet", objects)
    assert (tmp_path / "a.csv").read_text() == ",".join(table_columns(objects)) + "\n"
    assert pyarrow.parquet.read_table(tmp_path / "a.parquet").shape == (0, len(table_columns(objects)))
    assert not measure(np.zeros((5, 6), np.uint32))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = merge(in_blocks(np.ones((5, 6), np.uint32), None, (3, 3)))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left") as error:
        write_objects(tmp_path / name, objects)
    assert name in one_line(error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_disk_that_fills_up_is_one_line(small_disk: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_table, "AT_ONCE", 100)
    objects = merge(in_blocks(np.random.default_rng(0).permutation(10_000).reshape(100, 100) + 1, None, (100, 100)))
    with pytest.raises(UserError, match="No space left") as error:
        write_objects(small_disk / name, objects)
    assert name in one_line(error)
    assert not list(small_disk.iterdir())


def test_objects_belong_to_the_block_that_they_begin_in() -> None:
    labels = np.random.default_rng(0).integers(0, 40, (30, 50)).astype(np.uint32)
    labels[20:, 30:] = 77
    objects = merge(in_blocks(labels, None, (8, 11)))
    grid = Grid(labels.shape, (8, 11))
    blocks = objects.by_block(grid)
    assert sorted(number for block in blocks for number in block.id.tolist()) == objects.id.tolist()
    for block, box in zip(blocks, grid, strict=True):
        assert np.all(np.diff(block.id.astype(int)) > 0)
        for first in block.first.tolist():
            assert all(side.start <= place < side.stop for place, side in zip(first, box, strict=True))
    assert sum(len(block.id) for block in merge(in_blocks(labels * 0, None, (8, 11))).by_block(grid)) == 0


def test_what_cannot_be_written_is_told_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"'\.xlsx'.*\.parquet"):
        check_table(tmp_path / "a.xlsx")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"segraft\[blocks\]") as error:
        check_table(tmp_path / "a.parquet")
    assert one_line(error)
    check_table(tmp_path / "a.csv")
