"""The four recipes of CONTRIBUTING, followed to the letter: what they add is trained, distilled and predicted with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segraft
from segraft.weights import METHOD_WEIGHTS

TEXT = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
REGISTRIES = (segraft.NETWORKS, segraft.DISTILLERS, segraft.DATASETS, segraft.SEGMENTERS, METHOD_WEIGHTS)
SHORT: dict[str, Any] = {
    "dim": 4,
    "patch": (32, 32),
    "batch": 2,
    "steps": 3,
    "validate_every": 3,
    "device": "cpu",
    "workers": 0,
    "foreground_threshold": 0.1,
}


@pytest.fixture(autouse=True)
def _followed() -> Iterator[None]:
    """Run every recipe once, outside of the package; leave the registries as they were."""
    before = [dict(registry) for registry in REGISTRIES]
    for recipe in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(recipe, "CONTRIBUTING.md", "exec"), {"__name__": "contributed"})
    added = [set(registry) - set(old) for registry, old in zip(REGISTRIES, before, strict=True)]
    assert added == [{"shallow"}, {"mean"}, {"stripes"}, {"pieces"}, {"mean"}]
    yield
    for registry, old in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(old)  # type: ignore[arg-type]


@pytest.mark.usefixtures("without_reports")
def test_what_the_recipes_add_trains_distils_and_predicts(tmp_path: Path) -> None:
    teacher = segraft.train("stripes", network="shallow", filters=(12, 12), out=tmp_path / "teacher", **SHORT)
    distilled = {"teacher": tmp_path / "teacher", "student": "shallow", "method": "mean", "options": {"count": 3}}
    student = segraft.distill("stripes", out=tmp_path / "student", **distilled, **SHORT)
    assert teacher.config.network.filters == (12, 12)
    assert '"mean_embedding": ' in (tmp_path / "student" / "metrics.jsonl").read_text()
    image = segraft.DATASETS["stripes"](None, "test")[0].image
    assert np.array_equal(student.predict(image), student.predict(image, tile=16)), "the geometry is as described"
    assert student.predict(image, segmenter="pieces").shape == image.shape[1:]
    out = tmp_path / "labels"
    assert segraft.predict(tmp_path / "student", out=out, dataset="stripes", segmenter="pieces", device="cpu") == 0
    assert len(list(out.iterdir())) == 2
    tuned = segraft.tune(tmp_path / "student", segmenter="pieces", threshold=(0.1, 0.9), device="cpu")
    assert segraft.load(tmp_path / "student").config.segmentation == tuned["segmentation"]
    assert tuned["segmentation"].segmenter == "pieces"
