"""Laws of all formats of outlines: labels come back exactly, and corners of pixels are whole numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from roifile import roiread

from segraft.errors import UserError
from segraft.labels.coco import CocoWriter, read_coco
from segraft.labels.geojson import read_geojson
from segraft.labels.imagej import FARTHEST, read_rois, write_rois
from segraft.labels.outlines import write_outlines
from segraft.labels.relabel import consecutive
from segraft.labels.shapes import draw
from shared.messages import one_line

PLANES = hnp.arrays(np.uint32, st.tuples(st.integers(1, 24), st.integers(1, 24)), elements=st.integers(0, 2))
"""Every third pixel of each: holes, islands in holes, diagonal neighbours and many pieces."""
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]
NESTED = np.pad(np.ones((9, 9), np.uint32), 2)
NESTED[4:9, 4:9] = 0
NESTED[5:8, 5:8] = 3
NESTED[6, 6] = 0
NESTED[3, 3] = 2
NESTED[0, 0] = NESTED[1, 1] = NESTED[2, 2] = 4
"""A ring around a ring, a single pixel in it, and an object whose pixels meet at corners only."""


def through_geojson(labels: np.ndarray, folder: Path) -> np.ndarray:
    write_outlines(folder / "x.geojson", labels)
    return draw(read_geojson(folder / "x.geojson"), labels.shape, "x")


def through_rois(labels: np.ndarray, folder: Path) -> np.ndarray:
    write_rois(folder / "x.zip", labels)
    return draw(read_rois(folder / "x.zip"), labels.shape, "x")


def through_coco(labels: np.ndarray, folder: Path) -> np.ndarray:
    writer = CocoWriter()
    writer.add("x.tif", labels)
    writer.write(folder / "x.json")
    return read_coco(folder / "x.json")["x.tif"].draw("x")


Trip = Callable[[np.ndarray, Path], np.ndarray]
TRIPS: tuple[Trip, ...] = (through_geojson, through_rois, through_coco)


@settings(deadline=None, max_examples=50)
@given(PLANES)
@pytest.mark.parametrize("trip", TRIPS)
def test_labels_come_back(tmp_path_factory: pytest.TempPathFactory, trip: Trip, labels: np.ndarray) -> None:
    """COCO numbers objects from 1, the others keep their numbers."""
    back = trip(labels, tmp_path_factory.mktemp("trip"))
    assert np.array_equal(back, consecutive(labels) if trip is through_coco else labels)


@pytest.mark.parametrize("trip", TRIPS)
def test_holes_islands_corners_and_single_pixels(tmp_path: Path, trip: Trip) -> None:
    assert np.array_equal(trip(NESTED, tmp_path), NESTED)
    assert np.array_equal(trip(NESTED.T[::-1], tmp_path), NESTED.T[::-1])


@pytest.mark.parametrize("trip", [through_geojson, through_coco])
def test_unknown_pixels_come_back(tmp_path: Path, trip: Trip) -> None:
    labels = NESTED.astype(np.int64)
    labels[5:8, 5:8] = labels[0:3, 8:11] = -1
    labels[labels == 4] = 3
    assert np.array_equal(trip(labels, tmp_path), labels)


def corners(points: np.ndarray) -> set[tuple[float, ...]]:
    return {tuple(point) for point in np.asarray(points).tolist()}


def test_a_square_of_a_hundred_pixels_in_every_format(tmp_path: Path) -> None:
    """As QuPath has it: the first pixel is the square from (0, 0) to (1, 1)."""
    labels = np.zeros((14, 15), np.uint32)
    labels[:10, :10] = 1
    for trip in TRIPS:
        assert np.array_equal(trip(labels, tmp_path), labels)
    (feature,) = json.loads((tmp_path / "x.geojson").read_text())["features"]
    assert corners(feature["geometry"]["coordinates"][0]) == corners(SQUARE)
    (region,) = roiread(tmp_path / "x.zip")
    assert corners(region.coordinates()) == corners(SQUARE)
    assert (region.left, region.top, region.right, region.bottom) == (0, 0, 10, 10)
    (annotation,) = json.loads((tmp_path / "x.json").read_text())["annotations"]
    assert corners(np.reshape(annotation["segmentation"], (-1, 2))) == corners(SQUARE)
    assert (annotation["id"], annotation["area"], annotation["bbox"]) == (1, 100, [0, 0, 10, 10])


def test_regions_with_holes_hold_several_paths(tmp_path: Path) -> None:
    """Of which the library alone gives one, here the hole, which has more corners."""
    labels = np.zeros((12, 12), np.uint32)
    labels[1:11, 1:11] = 1
    labels[[3, 4, 4, 4, 5], [4, 3, 4, 5, 4]] = 0
    assert np.array_equal(through_rois(labels, tmp_path), labels)
    (region,) = roiread(tmp_path / "x.zip")
    assert [len(path) for path in region.coordinates(multi=True)] == [5, 13]
    assert region.coordinates().max() == 6


def test_regions_beyond_what_imagej_counts_are_refused(tmp_path: Path) -> None:
    labels = np.zeros((3, FARTHEST + 1), np.uint32)
    labels[1, FARTHEST - 1] = 1
    assert np.array_equal(through_rois(labels, tmp_path), labels)
    labels[2, FARTHEST] = 1
    with pytest.raises(UserError) as error:
        write_rois(tmp_path / "y.zip", labels)
    assert "object 1: got a place at x 60536, y 3" in one_line(error)
    with pytest.raises(UserError, match="unknown pixels"):
        write_rois(tmp_path / "y.zip", np.array([[-1, 1]]))
    assert not (tmp_path / "y.zip").exists()
