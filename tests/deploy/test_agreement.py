"""What the labels of a model and of its export have in common, and when that is too little."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from segraft.deploy.agreement import ALLOWED, Agreement, agreement
from segraft.errors import UserError
from segraft.metrics.scoring import evaluate
from segraft.model.model import Model
from segraft.types import Sample
from shared.models import a_model, lively

TRUTH = np.kron(np.arange(1, 7).reshape(2, 3), np.ones((8, 8), np.int32))
MERGED = np.where(TRUTH == 2, 1, TRUTH)


class Says(Model):
    """A model that finds these labels in every image."""

    def __init__(self, labels: np.ndarray, **segmentation: Any) -> None:
        model = a_model(lively(), segmentation=segmentation)
        super().__init__(model.runner, model.config)
        self.labels_found = labels

    def predict(self, image: np.ndarray, **_: Any) -> np.ndarray:
        return self.labels_found


def sample(labels: np.ndarray | None, name: str = "a") -> Sample:
    return Sample(np.zeros((1, 16, 24), np.uint8), labels, name)


def test_with_truth_both_are_scored() -> None:
    found = agreement(Says(TRUTH), Says(MERGED), [sample(TRUTH), sample(None)])
    expected = evaluate(MERGED, TRUTH)
    assert (found.images, found.truths, found.score) == (2, 1, "f1")
    assert found.original is not None
    assert found.copy is not None
    assert (found.original["f1"], found.copy["f1"]) == (1.0, expected["f1"])
    assert found.labels["aji"] == expected["aji"]
    assert str(found) == (
        f"F1 1.0000 originally, {expected['f1']:.4f} exported; AJI 1.0000 originally, {expected['aji']:.4f} exported "
        "(mean of 1 images with truth); its labels and those of the original agree by "
        f"AJI {expected['aji']:.4f} and F1 {expected['f1']:.4f} on 2 images"
    )
    with pytest.raises(UserError, match=rf"F1 of the export is {expected['f1']:.4f} on 1 images, .* 1\.0000, .* 0\.01"):
        found.check()


def test_without_truth_nothing_is_refused() -> None:
    found = agreement(Says(TRUTH), Says(MERGED), [sample(None)])
    assert str(found).startswith("no truth is at hand (--dataset), so scores are unknown; its labels and those")
    found.check()


def test_a_better_export_is_no_worse() -> None:
    agreement(Says(MERGED), Says(TRUTH), [sample(TRUTH)]).check()


@pytest.mark.parametrize(("score", "worse"), [("f1", -1), ("voi", 1)])
def test_how_much_is_allowed(score: str, worse: int) -> None:
    """In dense tissue more VOI is worse."""
    for lost, refused in ((0.9 * ALLOWED, False), (1.1 * ALLOWED, True)):
        found = Agreement(1, {}, 1, score, {score: 0.8}, {score: 0.8 + worse * lost})
        if refused:
            with pytest.raises(UserError, match=rf"{score.upper()} of the export .*nothing was kept.*--force"):
                found.check()
        else:
            found.check()


def test_volumes_of_dense_tissue_have_voi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segraft.deploy.agreement.usual_score", lambda truths, ndim, fill: "voi" if fill else "")
    assert agreement(Says(TRUTH, fill=True), Says(TRUTH, fill=True), [sample(TRUTH)]).score == "voi"
    assert agreement(Says(TRUTH), Says(TRUTH), [sample(TRUTH)]).score == "f1"


def test_an_image_that_cannot_be_segmented_is_named() -> None:
    wrong = Sample(np.random.default_rng(0).integers(0, 9, (3, 16, 24)), None, "colour")
    model = a_model(lively())
    with pytest.raises(UserError, match=r"^colour: .* got 3 channels, expected 1"):
        agreement(model, model, [wrong])
