"""GeoJSON to labels: what this package and QuPath write, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from segraft.errors import UserError
from segraft.labels.geojson import read_geojson
from segraft.labels.outlines import outlines, write_outlines
from segraft.labels.shapes import draw
from shared.labels import LABELS
from shared.messages import one_line

RING = [[0, 0], [3, 0], [3, 2], [0, 2], [0, 0]]


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


@given(LABELS)
def test_labels_come_back(tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("outlines") / "x.geojson"
    write_outlines(path, labels)
    assert np.array_equal(draw(read_geojson(path), labels.shape, "x"), labels)
    write(path, outlines(labels)["features"])  # the bare list
    assert np.array_equal(draw(read_geojson(path), labels.shape, "x"), labels)


def test_what_qupath_writes(tmp_path: Path) -> None:
    """Classes, ids, floats, and a byte order mark."""
    hole = [[1, 0.5], [2, 0.5], [2, 1.5], [1, 1.5], [1, 0.5]]
    cells = [
        feature("Polygon", [RING, hole], objectType="annotation", classification={"name": "Tumor"}),
        feature("Polygon", [[[5.0, 1.0], [7.0, 1.0], [7.0, 3.0]]], classification={"name": "Ignore*"}),
    ]
    path = tmp_path / "x.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": cells}), encoding="utf-8-sig")
    cell, ignored = read_geojson(path)
    assert (cell.unknown, ignored.unknown) == (False, True)
    labels = draw([cell, ignored], (4, 8), "x")
    assert labels.tolist()[:2] == [[1, 0, 1, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, -1, -1, 0]]
    assert len(read_geojson(write(path, cells[0]))) == 1
    assert read_geojson(write(path, [])) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"images": [], "annotations": []}, "name it .json if it is COCO's"),
        ({"a": 1}, "json of another kind"),
        ([1, 2], "json of another kind"),
        ("text", "json of another kind"),
        ([feature("Point", [1, 2], name="p")], "object 1 (p): got a Point"),
        ([feature("Polygon", [])], "object 1: got no list of rings"),
        ([feature("Polygon", [[1, 2]])], "object 1: got no list of rings"),
        ([feature("MultiPolygon", [[]])], "object 1: got no list of rings"),
        ([{"geometry": {"type": "Polygon"}}], "object 1: got no list of rings"),
        ([{"geometry": None}], "feature without outline"),
    ],
)
def test_other_json_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(UserError) as error:
        read_geojson(write(tmp_path / "x.geojson", content))
    assert words in one_line(error)
    assert "x.geojson" in one_line(error)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.geojson").write_text('{"type": "Feat')
    with pytest.raises(UserError, match="cannot be read as json") as error:
        read_geojson(tmp_path / "x.geojson")
    assert one_line(error)
