"""Measurements of objects, against brute force over their pixels."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.labels.measured_objects import columns, measure, write_table
from shared.labels import LABELS


@given(LABELS, st.integers(0, 2))
def test_measures_are_those_of_the_pixels(labels: np.ndarray, channels: int) -> None:
    labels = labels * np.uint32(1_000_000_007)  # ids need not be consecutive
    image = np.random.default_rng(0).integers(0, 65535, (channels, *labels.shape)).astype(np.uint16)
    rows = measure(labels, image if channels else None)
    assert [row["id"] for row in rows] == np.unique(labels[labels > 0]).tolist()
    for row in rows:
        assert list(row) == columns(2, channels)
        y, x = np.nonzero(labels == row["id"])
        assert row["area"] == len(y)
        assert row["centroid_y"] == pytest.approx(y.mean())
        assert row["centroid_x"] == pytest.approx(x.mean())
        assert [row[f"{end}_{axis}"] for end in ("min", "max") for axis in "yx"] == [
            *(y.min(), x.min()),
            *(y.max() + 1, x.max() + 1),
        ]
        for channel in range(channels):
            name = "mean_intensity" if channels == 1 else f"mean_intensity_{channel}"
            assert row[name] == pytest.approx(image[channel][y, x].mean())


def test_volumes_are_measured() -> None:
    labels = np.zeros((4, 5, 6), np.uint32)
    labels[1:3, 2:4, 5] = 3
    (row,) = measure(labels)
    assert row["area"] == 4
    assert (row["centroid_z"], row["centroid_y"], row["centroid_x"]) == (1.5, 2.5, 5)
    assert (row["min_z"], row["max_z"], row["min_x"], row["max_x"]) == (1, 3, 5, 6)


def test_files_hold_what_was_measured(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 1], [2, 2, 0]], np.uint32)
    image = np.array([[[9, 1, 3], [5, 5, 9]]], np.uint8)
    write_table(tmp_path / "deep" / "a.csv", labels, image)
    with open(tmp_path / "deep" / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["area"], row["mean_intensity"]) for row in rows] == [("1", "2", "2.0"), ("2", "2", "5.0")]


def test_no_objects_are_no_error(tmp_path: Path) -> None:
    labels = np.zeros((3, 4), np.uint32)
    write_table(tmp_path / "a.csv", labels)
    assert (tmp_path / "a.csv").read_text() == ",".join(columns(2)) + "\n"


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    labels = np.ones((3, 4), np.uint32)
    with pytest.raises(UserError, match="No space left"):
        write_table(tmp_path / "file", labels)
    assert not list(tmp_path.iterdir())
