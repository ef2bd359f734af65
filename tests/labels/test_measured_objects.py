"""Tables, outlines and pictures of objects, against brute force over their pixels."""

from __future__ import annotations

import csv
import errno
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segraft.errors import UserError
from segraft.labels.borders import boundaries
from segraft.labels.measured_objects import columns, measure, write_table
from segraft.labels.outlines import outlines, write_outlines
from segraft.reporting.overlay import overlay

LABELS = arrays(np.uint32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))


def polygons(feature: dict[str, Any]) -> list[list[list[list[int]]]]:
    geometry = feature["geometry"]
    return [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]


def signed_area(ring: list[list[int]]) -> float:
    return sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairwise(ring)) / 2


def filled(rings: list[list[list[int]]], shape: tuple[int, ...]) -> np.ndarray:
    """Pixels whose centre lies inside by the even-odd rule: crossings of vertical edges to the left of it."""
    crossings = np.zeros(shape, int)
    for ring in rings:
        for (ax, ay), (bx, by) in pairwise(ring):
            if ax == bx:
                crossings[min(ay, by) : max(ay, by), ax:] += 1
    return crossings % 2 == 1


@given(LABELS)
def test_outlines_enclose_exactly_the_pixels(labels: np.ndarray) -> None:
    features = outlines(labels)["features"]
    assert [int(feature["properties"]["name"]) for feature in features] == np.unique(labels[labels > 0]).tolist()
    for feature in features:
        parts = polygons(feature)
        assert (len(parts) > 1) == (feature["geometry"]["type"] == "MultiPolygon")
        inside = sum(filled(rings, labels.shape).astype(int) for rings in parts)
        assert np.array_equal(inside, labels == int(feature["properties"]["name"]))


@given(LABELS)
def test_rings_are_valid(labels: np.ndarray) -> None:
    """As GeoJSON asks: closed, outer rings counter-clockwise and holes clockwise, none meeting itself."""
    for feature in outlines(labels)["features"]:
        for outer, *holes in polygons(feature):
            assert signed_area(outer) > 0
            assert all(signed_area(hole) < 0 for hole in holes)
            for ring in (outer, *holes):
                assert ring[0] == ring[-1]
                assert len(ring) >= 5
                corners = [tuple(point) for point in ring[:-1]]
                assert len(set(corners)) == len(corners)
                turns = zip(ring[-2:-1] + ring[:-2], ring[:-1], ring[1:], strict=True)
                assert all((a[0] == b[0]) != (b[0] == c[0]) for a, b, c in turns)


def test_the_outline_of_a_square() -> None:
    labels = np.zeros((8, 9), np.uint32)
    labels[2:5, 3:7] = 12
    (feature,) = outlines(labels)["features"]
    assert feature["type"] == "Feature"
    assert feature["properties"] == {"objectType": "detection", "name": "12"}
    (ring,) = feature["geometry"]["coordinates"]
    assert {tuple(point) for point in ring} == {(3, 2), (7, 2), (7, 5), (3, 5)}


def test_a_hole_and_parts_that_meet_at_a_corner() -> None:
    labels = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 2], [0, 0, 2, 0]], np.uint32)
    ring, corner = outlines(labels)["features"]
    assert ring["geometry"]["type"] == "Polygon"
    assert len(ring["geometry"]["coordinates"]) == 2
    assert corner["geometry"]["type"] == "MultiPolygon"
    assert len(corner["geometry"]["coordinates"]) == 2


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
    for draw in (outlines, lambda labels: overlay(labels[None], labels)):
        with pytest.raises(UserError, match="2-D"):
            draw(labels)


def test_files_hold_what_was_measured(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 1], [2, 2, 0]], np.uint32)
    image = np.array([[[9, 1, 3], [5, 5, 9]]], np.uint8)
    write_table(tmp_path / "deep" / "a.csv", labels, image)
    with open(tmp_path / "deep" / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["area"], row["mean_intensity"]) for row in rows] == [("1", "2", "2.0"), ("2", "2", "5.0")]
    write_outlines(tmp_path / "a.geojson", labels)
    assert json.loads((tmp_path / "a.geojson").read_text()) == outlines(labels)


def test_no_objects_are_no_error(tmp_path: Path) -> None:
    labels = np.zeros((3, 4), np.uint32)
    write_table(tmp_path / "a.csv", labels)
    assert (tmp_path / "a.csv").read_text() == ",".join(columns(2)) + "\n"
    assert outlines(labels) == {"type": "FeatureCollection", "features": []}
    assert not overlay(np.zeros((1, 3, 4)), labels).any()


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    labels = np.ones((3, 4), np.uint32)
    for write in (write_table, write_outlines):
        with pytest.raises(UserError, match="No space left"):
            write(tmp_path / "file", labels)
    assert not list(tmp_path.iterdir())


@given(LABELS)
def test_boundaries_are_pixels_with_another_neighbour(labels: np.ndarray) -> None:
    expected = np.zeros(labels.shape, bool)
    for (y, x), label in np.ndenumerate(labels):
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if 0 <= y + dy < labels.shape[0] and 0 <= x + dx < labels.shape[1]:
                expected[y, x] |= label > 0 and labels[y + dy, x + dx] != label
    assert np.array_equal(boundaries(labels), expected)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_overlay_shows_image_and_outlines(channels: int) -> None:
    labels = np.zeros((20, 30), np.uint32)
    labels[5:15, 5:15], labels[5:15, 15:25] = 1, 2
    image = np.random.default_rng(0).integers(0, 4000, (channels, 20, 30)).astype(np.uint16)
    picture = overlay(image, labels)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    plain = overlay(image, np.zeros_like(labels))
    edge = boundaries(labels)
    assert np.array_equal(picture[~edge], plain[~edge])
    assert len(np.unique(picture[edge], axis=0)) == 2  # one colour per object
    if channels == 1:
        assert (plain == plain[..., :1]).all()
    if channels == 2:
        assert not plain[..., 2].any()
