"""Outlines of objects, against brute force over their pixels."""

from __future__ import annotations

import errno
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from segraft.errors import UserError
from segraft.labels.outlines import outlines, write_outlines
from shared.labels import LABELS


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


def test_volumes_have_no_outlines() -> None:
    labels = np.zeros((4, 5, 6), np.uint32)
    labels[1:3, 2:4, 5] = 3
    with pytest.raises(UserError, match="2-D"):
        outlines(labels)


def test_files_hold_the_outlines(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 1], [2, 2, 0]], np.uint32)
    write_outlines(tmp_path / "a.geojson", labels)
    assert json.loads((tmp_path / "a.geojson").read_text()) == outlines(labels)


def test_no_objects_are_no_error() -> None:
    assert outlines(np.zeros((3, 4), np.uint32)) == {"type": "FeatureCollection", "features": []}


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UserError, match="No space left"):
        write_outlines(tmp_path / "file", np.ones((3, 4), np.uint32))
    assert not list(tmp_path.iterdir())
