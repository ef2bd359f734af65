"""Measurements of objects, against brute force over their pixels."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import regionprops

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
            ending = "" if channels == 1 else f"_{channel}"
            assert row[f"mean_intensity{ending}"] == pytest.approx(image[channel][y, x].mean())
            assert row[f"max_intensity{ending}"] == image[channel][y, x].max()
            assert row[f"integrated_intensity{ending}"] == image[channel][y, x].astype(float).sum()


def test_volumes_are_measured() -> None:
    labels = np.zeros((4, 5, 6), np.uint32)
    labels[1:3, 2:4, 5] = 3
    (row,) = measure(labels)
    assert row["area"] == 4
    assert (row["centroid_z"], row["centroid_y"], row["centroid_x"]) == (1.5, 2.5, 5)
    assert (row["min_z"], row["max_z"], row["min_x"], row["max_x"]) == (1, 3, 5, 6)


def test_a_disc_measures_what_geometry_says() -> None:
    y, x = np.mgrid[:100, :100]
    (row,) = measure(((y - 50) ** 2 + (x - 50) ** 2 < 40**2).astype(np.uint8), None, (250.0, 250.0))
    radius = 40 * 0.25
    assert row["area_um2"] == row["area"] * 0.0625 == pytest.approx(np.pi * radius**2, rel=0.01)
    for name in ("equivalent_diameter_um", "major_axis_um", "minor_axis_um"):
        assert row[name] == pytest.approx(2 * radius, rel=0.01)
    assert row["perimeter_um"] == pytest.approx(2 * np.pi * radius, rel=0.06)
    assert row["eccentricity"] == pytest.approx(0, abs=0.02)
    assert row["solidity"] == pytest.approx(1, abs=0.02)


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([None, (300.0, 300.0), (500.0, 200.0)]))
def test_rectangles_measure_what_geometry_says(height: int, width: int, size: tuple[float, float] | None) -> None:
    labels = np.zeros((14, 15), np.uint32)
    labels[1 : 1 + height, 2 : 2 + width] = 7
    (row,) = measure(labels, None, size)
    unit = "px" if size is None else "um"
    sides = np.multiply((1, 1) if size is None else np.divide(size, 1000), (height, width))
    variances = sides**2 * (1 - 1 / np.square((height, width))) / 12  # of points in a row
    minor, major = 4 * np.sqrt(np.sort(variances))
    area = sides.prod()
    assert row["area"] == height * width
    assert row.get("area_um2", area) == pytest.approx(area)
    assert row[f"equivalent_diameter_{unit}"] == pytest.approx(2 * np.sqrt(area / np.pi))
    assert row[f"major_axis_{unit}"] == pytest.approx(major, abs=1e-6)
    assert row[f"minor_axis_{unit}"] == pytest.approx(minor, abs=1e-6)
    assert row["eccentricity"] == pytest.approx(np.sqrt(1 - (minor / major) ** 2) if major else 0, abs=1e-3)
    assert row["solidity"] == 1
    if size is not None and size[0] != size[1]:
        assert row["perimeter_um"] is None
    elif min(height, width) > 1:  # through the centres of the pixels
        expected = 2 * (height + width - 2) * (1 if size is None else 0.3)
        assert row[f"perimeter_{unit}"] == pytest.approx(expected)


@given(LABELS, st.sampled_from([None, (100.0, 100.0), (100.0, 300.0)]))
def test_every_shape_has_finite_measures(labels: np.ndarray, size: tuple[float, float] | None) -> None:
    for row in measure(labels, None, size):
        assert all(value is None or np.isfinite(value) for value in row.values())
        assert 0 <= row["eccentricity"] <= 1
        assert 0 < row["solidity"] <= 1


def test_sizes_that_files_round_are_square() -> None:
    (row,) = measure(np.ones((3, 4), np.uint8), None, (325.0, 325.0001))
    assert row["perimeter_um"] == pytest.approx(10 * 0.325, rel=1e-5)


def test_a_ball_of_voxels_that_are_no_cubes() -> None:
    z, y, x = np.mgrid[-6:7, -26:27, -26:27]
    ball = (4 * z) ** 2 + y**2 + x**2 < 24**2
    (row,) = measure(ball.astype(np.uint8), None, (40.0, 10.0, 10.0))
    assert list(row) == columns(3, physical=True)
    assert not {"perimeter_um", "eccentricity", "solidity"} & set(row)
    assert row["volume_um3"] == pytest.approx(4 / 3 * np.pi * 0.24**3, rel=0.02)
    for name in ("equivalent_diameter_um", "major_axis_um", "minor_axis_um"):
        assert row[name] == pytest.approx(0.48, rel=0.03)


@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=6), elements=st.integers(0, 1)))
def test_volumes_have_the_shapes_of_scikit_image(labels: np.ndarray) -> None:
    for row in measure(labels, None, (40.0, 10.0, 25.0)):
        region = regionprops(labels, spacing=(0.04, 0.01, 0.025))[0]
        assert row["volume_um3"] == pytest.approx(region.area)
        assert row["equivalent_diameter_um"] == pytest.approx(region.equivalent_diameter_area)
        assert row["major_axis_um"] == pytest.approx(region.axis_major_length, abs=1e-6)
        assert row["minor_axis_um"] == pytest.approx(region.axis_minor_length, abs=1e-6)


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
