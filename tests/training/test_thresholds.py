"""The threshold of the foreground follows from the validation images, at little cost, and goes with the best model."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import segraft
from segraft.commands.train import train
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.graphs.affinity import ends
from segraft.images.normalisation import Scale
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.model import Maps, Model
from segraft.run_folder import RunFolder
from segraft.training import thresholds
from segraft.training.callbacks import Stopped
from segraft.training.module import TrainingModule
from segraft.training.thresholds import THRESHOLDS, trial_parts
from segraft.training.validation import Validation
from segraft.types import Sample
from shared.models import a_model, lively
from shared.runs import SMALL, assert_same_run, history

INSIDE, OUTSIDE = 0.37, 0.01
"""What a network may say that has learnt where objects are, but is not sure of them."""


def cells(number: int, blank: bool = False, space: tuple[int, ...] = (40, 44)) -> Sample:
    """Four squares of 12 pixels apart from each other, bright on dark, and a brighter speck in the last image."""
    labels = np.zeros(space, np.int32)
    for cell in range(0 if blank else 4):
        y, x = divmod(cell, 2)
        labels[..., 3 + 18 * y : 15 + 18 * y, 3 + 18 * x : 15 + 18 * x] = cell + 1
    image = np.where(labels > 0, 200, 20)[None].astype(np.uint8)
    image[..., :2, :2] += np.uint8(number)
    return Sample(image, labels, f"{number}")


def unsure(self: Model, image: np.ndarray, scale: Scale, tile: Any, into: np.ndarray, region: Any = None) -> Maps:
    """In place of the network: right about what belongs together, unsure of the foreground."""
    bright = image[0] > 100
    for channel, offset in zip(into, self.offsets, strict=True):
        here, there = ends(offset)
        channel[:] = 0.0
        channel[here] = np.where(bright[here] == bright[there], 0.98, -0.98)
    return Maps(into, np.where(bright, INSIDE, OUTSIDE).astype(np.float32), None, scale)


@pytest.fixture(autouse=True)
def _unsure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Model, "_maps", unsure)
    sets = {"train": [cells(k) for k in range(3)], "val": [cells(k) for k in range(2)]}
    monkeypatch.setitem(DATASETS, "squares", lambda root, split: sets[split])
    blank = {"train": sets["train"], "val": [cells(0, blank=True)]}
    monkeypatch.setitem(DATASETS, "blank", lambda root, split: blank[split])


def test_the_best_of_the_tried_is_chosen_and_scored() -> None:
    learnt, samples = a_model(lively()), [cells(k) for k in range(3)]
    validation = Validation(samples, thresholds=THRESHOLDS)
    scores = validation.run(learnt)
    assert validation.threshold == scores["foreground_threshold"] == 0.3
    labels = [learnt.predict(each.image, foreground_threshold=0.3) for each in samples]
    expected = summarise([evaluate(found, each.labels) for found, each in zip(labels, samples, strict=True)])
    assert scores == {**expected, "foreground_threshold": 0.3}
    assert scores["pq_pooled"] == 1
    assert Validation(samples).run(learnt)["tp"] == 0, "at the model's own threshold"


def test_of_equal_thresholds_the_models_own_stays() -> None:
    for own in (0.02, 0.2):
        validation = Validation([cells(0)], thresholds=THRESHOLDS)
        validation.run(a_model(lively(), segmentation={"foreground_threshold": own}))
        assert validation.threshold == own
    blank = Validation([cells(0, blank=True)], thresholds=THRESHOLDS)
    blank.run(a_model(lively()))
    assert blank.threshold == 0.5


def test_thresholds_are_tried_on_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly spread over those with objects; the network sees every image once."""
    monkeypatch.setattr(thresholds, "PIXELS", 4 * 40 * 44)
    samples = [cells(k, blank=k % 5 != 0) for k in range(60)]
    assert list(trial_parts(samples)) == [0, 15, 30, 45]
    seen = []
    monkeypatch.setattr(
        Model, "_maps", lambda self, image, *rest: seen.append(image[0, 0, 0]) or unsure(self, image, *rest)
    )
    assert Validation(samples, thresholds=THRESHOLDS).run(a_model(lively()))["foreground_threshold"] == 0.3
    assert sorted(seen) == sorted(sample.image[0, 0, 0] for sample in samples)


@pytest.mark.parametrize("space", [(400, 300), (20, 90, 110)])
def test_of_large_images_a_part_with_an_object_is_tried(
    monkeypatch: pytest.MonkeyPatch, space: tuple[int, ...]
) -> None:
    monkeypatch.setattr(thresholds, "PIXELS", 5000)
    large = cells(0, space=space)
    ((number, part),) = trial_parts([large, large]).items()
    cut = large.labels[part]
    assert number == 0
    assert cut.size <= 5000
    assert cut.max() > 0
    assert all(0 <= axis.start < axis.stop <= extent for axis, extent in zip(part, space, strict=True))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_the_threshold_goes_with_the_best_model(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = train("squares", out=out, **SMALL)
    assert model.config.segmentation.foreground_threshold == 0.3
    assert segraft.load(out).config.segmentation.foreground_threshold == 0.3
    assert segraft.load(out).predict(cells(5).image).max() == 4
    best = RunFolder(out).best_validation()
    assert best is not None
    assert best["val"]["foreground_threshold"] == 0.3
    assert best["step"] == 8, "of equal scores the latest"
    assert yaml.safe_load((out / "config.yaml").read_text())["foreground_threshold"] is None
    assert "best pq_pooled 1.0000 at step 8 (foreground threshold 0.3)" in capsys.readouterr().out


def test_a_threshold_that_is_given_stays(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And where the best model finds nothing the run says so, and what to do."""
    model = train("squares", out=out, **SMALL, foreground_threshold=0.5)
    assert model.config.segmentation.foreground_threshold == 0.5
    shown = capsys.readouterr()
    assert "finds none of the 8 objects of the validation images, with foreground thresholds of 0.5; train" in shown.out
    assert "step 8 of 8: validation pq_pooled 0.0000, best 0.0000, none of 8 objects found" in shown.err


def test_without_objects_to_find_nothing_is_missed(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train("blank", out=out, **SMALL)
    shown = capsys.readouterr()
    assert "none of" not in shown.out + shown.err


def test_the_threshold_survives_an_interruption(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("squares", out=tmp_path / "whole", **SMALL)
    step = TrainingModule.training_step

    def interrupted(self: TrainingModule, batch: Any, index: int) -> Any:
        if self.global_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)
    with pytest.raises(Stopped):
        train("squares", out=out, **SMALL)
    monkeypatch.setattr(TrainingModule, "training_step", step)
    train("squares", out=out, **SMALL, resume=True)
    assert_same_run(out, tmp_path / "whole")
    assert segraft.load(out).config.segmentation.foreground_threshold == 0.3


def test_a_run_of_an_earlier_version_goes_on_as_it_began(out: Path) -> None:
    """It recorded what were the defaults: a threshold of 0.5, and AJI to choose by."""
    train("squares", out=out, **SMALL, foreground_threshold=0.5, monitor="aji")
    train("squares", out=out, **SMALL, resume=True)
    model = train(config=out, resume=True)
    assert model.config.segmentation.foreground_threshold == 0.5
    assert RunFolder(out).monitor() == "aji"
    assert [line["step"] for line in history(out) if "val" in line] == [3, 6, 8]
    with pytest.raises(UserError, match="run with another foreground_threshold"):
        train(config=out, resume=True, foreground_threshold=0.3)


def test_a_background_that_becomes_one_object_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs one false match only, but nearly all of the foreground is false."""
    results = {0.1: {"pq_pooled": 0.9, "dice": 0.38}, 0.3: {"pq_pooled": 0.6, "dice": 0.9}}
    monkeypatch.setattr(thresholds.Trials, "scores", lambda self, each: results[each.foreground_threshold])
    assert thresholds.best_threshold(a_model(lively()), [], "pq_pooled", (0.1, 0.3)) == 0.3
