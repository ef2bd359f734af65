"""COCO files to labels and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from segraft.errors import UserError
from segraft.labels.coco import CocoWriter, decode, read_coco
from segraft.labels.relabel import consecutive
from shared.labels import LABELS
from shared.messages import one_line

SHAPE = (4, 5)
POLYGON = [1, 0, 4, 0, 4, 3, 1, 3]


def coco(path: Path, *annotations: dict[str, Any], **image: Any) -> Path:
    entry = {"id": 9, "file_name": "cells/x.png", "height": SHAPE[0], "width": SHAPE[1], **image}
    numbered = [{"id": number, "image_id": 9, **each} for number, each in enumerate(annotations, 40)]
    path.write_text(json.dumps({"images": [entry], "annotations": numbered}))
    return path


def drawn(path: Path) -> np.ndarray:
    (image,) = read_coco(path).values()
    return image.draw(str(path))


@given(LABELS, LABELS)
def test_labels_come_back(tmp_path_factory: pytest.TempPathFactory, first: np.ndarray, second: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("coco") / "x.json"
    writer = CocoWriter()
    writer.add("a.tif", first)
    writer.add("b.tif", second)
    writer.write(path)
    read = read_coco(path)
    assert list(read) == ["a.tif", "b.tif"]
    for name, labels in (("a.tif", first), ("b.tif", second)):
        assert np.array_equal(read[name].draw("x"), consecutive(labels))
    content = json.loads(path.read_text())
    assert [each["id"] for each in content["annotations"]] == list(range(1, len(content["annotations"]) + 1))
    sizes = np.concatenate([np.unique(labels[labels > 0], return_counts=True)[1] for labels in (first, second)])
    assert [each["area"] for each in content["annotations"]] == sizes.tolist()


def test_polygons_runs_and_crowds(tmp_path: Path) -> None:
    """Runs down the columns; the later object lies on top, a crowd is unknown and below."""
    runs = {"size": list(SHAPE), "counts": [0, 6, 14]}
    crowd = {"size": list(SHAPE), "counts": [12, 8]}
    path = coco(tmp_path / "x.json", {"segmentation": [POLYGON]}, {"segmentation": runs})
    assert drawn(path).tolist() == [[2, 2, 1, 1, 0], [2, 2, 1, 1, 0], [2, 1, 1, 1, 0], [2, 0, 0, 0, 0]]
    path = coco(tmp_path / "x.json", {"segmentation": [POLYGON]}, {"segmentation": crowd, "iscrowd": 1})
    assert drawn(path).tolist() == [[0, 1, 1, 1, -1], [0, 1, 1, 1, -1], [0, 1, 1, 1, -1], [0, 0, 0, -1, -1]]
    assert not drawn(coco(tmp_path / "x.json")).any()


@pytest.mark.parametrize(
    ("text", "counts"),  # strings as pycocotools writes them
    [
        ("06>", [0, 6, 14]),
        ("3`n1X1aQNdl0", [3, 2000, 40, 1, 956]),
        ("5196I1Rl0l1", [5, 1, 9, 7, 2, 8, 900, 68]),
    ],
)
def test_compressed_runs(text: str, counts: list[int]) -> None:
    assert decode(text) == counts


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        ({}, "annotation 40: got no outline"),
        ({"segmentation": []}, "annotation 40: got no outline"),
        ({"segmentation": [[1, 2, 3]]}, "annotation 40: got no outline"),
        ({"segmentation": {"counts": [20]}}, "annotation 40: got no outline"),
        ({"segmentation": {"size": [4, 5], "counts": "0\x10"}}, "annotation 40: got no outline"),
        ({"segmentation": {"size": [4, 5], "counts": "o"}}, "annotation 40: got no outline"),
        ({"segmentation": {"size": [5, 4], "counts": [20]}}, "annotation 40: got runs for [5, 4], expected [4, 5]"),
        ({"segmentation": {"size": [4, 5], "counts": [19]}}, "got runs of 19 pixels"),
        ({"segmentation": [[0, 0, 4, 4, 4, 0, 0, 4]]}, "object 1 (annotation 40): got an outline that crosses itself"),
        ({"segmentation": [[9, 9, 12, 9, 12, 12]]}, "object 1 (annotation 40): got x from 9 to 12"),
    ],
)
def test_bad_annotations_are_named(tmp_path: Path, annotation: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as error:
        drawn(coco(tmp_path / "x.json", annotation))
    assert words in one_line(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"type": "FeatureCollection", "features": []}, "name it .geojson"),
        ([], "name it .geojson"),
        ({"images": []}, "it lacks 'annotations'"),
        ({"mean": 3}, "it lacks 'images'"),
        ({"images": [{"id": 1, "file_name": "x"}], "annotations": []}, "it lacks 'height'"),
        ({"images": [], "annotations": [{"image_id": 3}]}, "it lacks 3"),
        (7, "json of another kind"),
    ],
)
def test_json_of_another_kind_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(UserError) as error:
        read_coco(tmp_path / "x.json")
    assert words in one_line(error)
