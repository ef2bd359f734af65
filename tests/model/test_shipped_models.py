"""The models in the package: small, found by name, and good on nuclei that they have not seen."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import segraft
from segraft.cli import main
from segraft.data import open_dataset
from segraft.data.shipped import NUCLEI
from segraft.images.reading import read_labels
from segraft.model import model_file
from segraft.model.resize import nearest, resize

LARGEST = {"nuclei": 1.5e6, "nuclei-int8": 0.6e6}
"""Bytes of the files."""
CROPS = 6
"""Of BBBC039's validation images, which no model here was trained on."""
needs_openvino = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra openvino is not installed")
MODELS = ["nuclei", pytest.param("nuclei-int8", marks=needs_openvino)]


def f1(name: str, factor: float = 1.0, **options: object) -> float:
    """Mean F1 over some crops, enlarged or shrunk."""
    model, scores = segraft.load(name, "cpu"), []
    for sample in open_dataset("folder", NUCLEI, "test")[:CROPS]:
        space = tuple(round(side * factor) for side in sample.image.shape[1:])
        image, truth = resize(sample.image, space), nearest(np.asarray(sample.labels), space)
        scores.append(segraft.evaluate(model.predict(image, **options), truth)["f1"])  # type: ignore[arg-type]
    return float(np.mean(scores))


@pytest.mark.parametrize("name", LARGEST)
def test_they_are_small_and_have_cards(name: str) -> None:
    path = model_file.shipped()[name]
    assert path.stat().st_size <= LARGEST[name]
    card = model_file.card(path)
    assert card is not None
    for part in ("## Data", "## Training", "## Scores", "## Limits", "CC0"):
        assert part in card


def test_every_shipped_model_is_tested() -> None:
    assert set(model_file.shipped()) == set(LARGEST)


@pytest.mark.parametrize("name", MODELS)
def test_info_tells_what_they_are(name: str) -> None:
    told = segraft.info(name)
    assert "resunet-tiny" in told
    assert "## Limits" in told


@pytest.mark.parametrize("name", MODELS)
def test_they_find_nuclei(name: str) -> None:
    assert f1(name) > 0.9


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_sizes_are_measured(factor: float) -> None:
    assert f1("nuclei", factor, object_size="auto") > f1("nuclei") - 0.05


def test_the_command_takes_the_name(tmp_path: Path) -> None:
    images = sorted((NUCLEI / "test" / "images").iterdir())[:2]
    assert main(["predict", "nuclei", *map(str, images), "--out", str(tmp_path / "labels")]) == 0
    for image in images:
        assert read_labels(tmp_path / "labels" / f"{image.stem}.tif").max() > 3


def test_all_that_takes_a_model_takes_the_name(tmp_path: Path) -> None:
    assert segraft.benchmark("nuclei", size=(48, 64), repeats=1)["nuclei"]["trained"]
    page = segraft.report("nuclei", dataset="folder", root=NUCLEI, split="val", out=tmp_path, times=False)
    assert "nuclei" in page.read_text(encoding="utf-8")
