"""The segmentation follows from the validation images: the threshold at little cost, all the rest at the end."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import segraft
from segraft.cli import main
from segraft.commands.train import train
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.graphs.offsets import ends
from segraft.images.normalisation import Scale
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.config import Segmentation
from segraft.model.maps import Maps
from segraft.model.model import Model
from segraft.model.trials import Trials
from segraft.run_folder import RunFolder
from segraft.training import validation
from segraft.training.callbacks import Stopped
from segraft.training.module import TrainingModule
from segraft.training.thresholds import THRESHOLDS, best_threshold, trial_parts
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
    judging = Validation(samples, thresholds=THRESHOLDS)
    scores = judging.run(learnt)
    assert judging.threshold == scores["foreground_threshold"] == 0.3
    labels = [learnt.predict(each.image, foreground_threshold=0.3) for each in samples]
    expected = summarise([evaluate(found, each.labels) for found, each in zip(labels, samples, strict=True)])
    assert scores == {**expected, "foreground_threshold": 0.3}
    assert scores["pq_pooled"] == 1
    assert Validation(samples).run(learnt)["tp"] == 0, "at the model's own threshold"


def test_of_equal_thresholds_the_models_own_stays() -> None:
    for own in (0.02, 0.2):
        judging = Validation([cells(0)], thresholds=THRESHOLDS)
        judging.run(a_model(lively(), segmentation={"foreground_threshold": own}))
        assert judging.threshold == own
    blank = Validation([cells(0, blank=True)], thresholds=THRESHOLDS)
    blank.run(a_model(lively()))
    assert blank.threshold == 0.5


def test_thresholds_are_tried_on_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly spread over those with objects; the network sees every image once."""
    monkeypatch.setattr(validation, "PIXELS", 4 * 40 * 44)
    samples = [cells(k, blank=k % 5 != 0) for k in range(60)]
    assert list(trial_parts(samples, 4 * 40 * 44)) == [0, 15, 30, 45]
    seen = []
    monkeypatch.setattr(
        Model, "_maps", lambda self, image, *rest: seen.append(image[0, 0, 0]) or unsure(self, image, *rest)
    )
    assert Validation(samples, thresholds=THRESHOLDS).run(a_model(lively()))["foreground_threshold"] == 0.3
    assert sorted(seen) == sorted(sample.image[0, 0, 0] for sample in samples)


@pytest.mark.parametrize("space", [(400, 300), (20, 90, 110)])
def test_of_large_images_a_part_with_an_object_is_tried(space: tuple[int, ...]) -> None:
    large = cells(0, space=space)
    ((number, part),) = trial_parts([large, large], 5000).items()
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
    monkeypatch.setattr(Trials, "scores", lambda self, each: results[each.foreground_threshold])
    assert best_threshold(a_model(lively()), [], "pq_pooled", (0.1, 0.3)) == 0.3


def with_specks(number: int) -> Sample:
    """The same with false objects of 16 pixels, which look like true ones."""
    sample = cells(number)
    sample.image[..., 36:40, 36:40] = sample.image[..., 36:40, 4:8] = 200
    return sample


@pytest.fixture
def _specks(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {"train": [cells(k) for k in range(3)], "val": [with_specks(k) for k in range(2)]}
    monkeypatch.setitem(DATASETS, "specks", lambda root, split: sets[split])


TUNING = SMALL | {"tune": True}
FOUND = {"foreground_threshold": 0.3, "thickness": 2, "minimum_size": 20}
"""With twice the usual minimum size, 10, the specks vanish."""


def segmentation(run: Path) -> Segmentation:
    return segraft.load(run).config.segmentation


@pytest.mark.usefixtures("_specks")
def test_the_segmentation_is_tuned_at_the_end(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = train("specks", out=out, **TUNING)
    tuned = segmentation(out)
    assert model.config.segmentation == tuned
    assert {name: getattr(tuned, name) for name in FOUND} == FOUND
    labels = [model.predict(with_specks(k).image) for k in range(2)]
    assert [found.max() for found in labels] == [4, 4]
    before, after = [line for line in history(out) if line.get("kept")][-2:]
    assert before["val"]["pq_pooled"] == pytest.approx(0.8)
    assert after["val"]["pq_pooled"] == 1
    assert (after["tuned"], after["step"], after["val"]["foreground_threshold"]) == (True, 8, 0.3)
    shown = capsys.readouterr().out
    assert "segmentation tuned: pq_pooled 0.8000 → 1.0000 on 2 validation images with foreground threshold 0.3" in shown
    assert "minimum size 20" in shown
    assert "best pq_pooled 1.0000 at step 8" in shown


@pytest.mark.usefixtures("_specks")
@pytest.mark.parametrize(
    ("told", "expected"),
    [({"tune": False}, {"minimum_size": 10}), ({"minimum_size": 7}, {"minimum_size": 7})],
    ids=["not tuned", "minimum size"],
)
def test_what_is_told_stays(out: Path, told: dict[str, Any], expected: dict[str, Any]) -> None:
    train("specks", out=out, **TUNING | told)
    assert {name: getattr(segmentation(out), name) for name in expected} == expected
    assert RunFolder(out).tuned() == ("tune" not in told)


@pytest.mark.usefixtures("_specks")
def test_on_the_command_line_it_can_be_left_out(out: Path) -> None:
    told = ["--width", "2", "--dim", "4", "--patch", "32", "32", "--steps", "1", "--device", "cpu", "--workers", "0"]
    assert main(["train", "specks", *told, "--out", str(out), "--no-tune"]) == 0
    assert not RunFolder(out).tuned()
    assert main(["train", "--config", str(out), "--resume", "--tune"]) == 0
    assert segmentation(out).minimum_size == 20


def test_where_nothing_is_better_all_stays(out: Path) -> None:
    train("squares", out=out, **TUNING)
    assert history(out)[-1] == {"step": 8, "tuned": True}
    assert segmentation(out).settings == {}
    before = (out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()
    train(config=out, resume=True)
    assert ((out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()) == before


@pytest.mark.parametrize("dataset", ["blank", "squares"])
def test_what_finds_nothing_is_not_tuned(out: Path, dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segraft.training.validation.best_of", None)
    train(dataset, out=out, **TUNING, foreground_threshold=0.5)
    assert history(out)[-1] == {"step": 8, "tuned": True}


@pytest.mark.usefixtures("_specks")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_search(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    train("specks", out=tmp_path / "whole", **TUNING)
    score, asked = Trials.scores, []

    def interrupted(self: Trials, candidate: Segmentation) -> Any:
        asked.append(candidate)
        if candidate.minimum_size == 20:
            os.kill(os.getpid(), number)
        return score(self, candidate)

    monkeypatch.setattr(Trials, "scores", interrupted)
    with pytest.raises(Stopped, match="after the last step, before the segmentation was tuned; go on with") as stopped:
        train("specks", out=out, **TUNING)
    assert stopped.value.code == 128 + number
    assert segmentation(out).minimum_size == 10
    monkeypatch.setattr(Trials, "scores", score)
    train(config=out, resume=True)
    assert_same_run(out, tmp_path / "whole")
    assert segmentation(out) == segmentation(tmp_path / "whole")


@pytest.mark.usefixtures("_specks")
def test_killed_before_the_search_was_recorded(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("specks", out=tmp_path / "whole", **TUNING)
    with monkeypatch.context() as patch:
        patch.setattr("segraft.training.callbacks.Recorder.record_tuned", _killed)
        with pytest.raises(KeyboardInterrupt):
            train("specks", out=out, **TUNING)
    assert segmentation(out).minimum_size == 20
    train(config=out, resume=True)
    assert_same_run(out, tmp_path / "whole")
    assert segmentation(out) == segmentation(tmp_path / "whole")


@pytest.mark.usefixtures("_specks")
def test_what_is_worse_on_all_images_is_not_kept(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tune = Validation.tune

    def worse(*given: Any) -> Any:
        found = tune(*given)
        return replace(found, scores=found.scores | {"pq_pooled": 0.7})

    monkeypatch.setattr(Validation, "tune", worse)
    model = train("specks", out=out, **TUNING)
    assert model.config.segmentation.minimum_size == segmentation(out).minimum_size == 10
    assert history(out)[-1] == {"step": 8, "tuned": True}


@pytest.mark.usefixtures("_specks")
def test_a_signal_while_all_are_judged(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("specks", out=tmp_path / "whole", **TUNING)
    tune = Validation.tune

    def interrupted(*given: Any) -> Any:
        found = tune(*given)
        os.kill(os.getpid(), signal.SIGTERM)
        return found

    monkeypatch.setattr(Validation, "tune", interrupted)
    with pytest.raises(Stopped, match="before the segmentation was tuned; go on with"):
        train("specks", out=out, **TUNING)
    monkeypatch.setattr(Validation, "tune", tune)
    train(config=out, resume=True)
    assert_same_run(out, tmp_path / "whole")


@pytest.mark.usefixtures("_specks")
def test_a_line_that_a_full_disk_cut_short(out: Path, tmp_path: Path) -> None:
    train("specks", out=tmp_path / "whole", **TUNING)
    train("specks", out=out, **TUNING)
    metrics = out / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:-9])
    train(config=out, resume=True)
    assert_same_run(out, tmp_path / "whole")
    assert segmentation(out) == segmentation(tmp_path / "whole")


@pytest.mark.usefixtures("_specks")
def test_a_run_out_of_patience_is_not_tuned_again(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train("specks", out=out, **TUNING | {"patience": 1, "steps": 30, "validate_every": 1})
    assert RunFolder(out).tuned()
    before = (out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()
    monkeypatch.setattr(Validation, "tune", None)
    train(config=out, resume=True)
    assert ((out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()) == before


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_what_was_searched_is_scored_on_all_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a part of the images the best is found, then all are judged with it, and shown."""
    monkeypatch.setitem(validation.SEARCHED, 2, 2 * 40 * 44)
    learnt = a_model(lively(), segmentation={"foreground_threshold": 0.3, "minimum_size": 10})
    samples = [with_specks(k) for k in range(5)]
    told: list[str] = []
    judging = Validation(samples)
    found = judging.tune(learnt, {}, told.append)
    assert found is not None
    assert (found.before, found.after, found.images) == (pytest.approx(0.8), 1, 2)
    assert found.scores["tp"] == 20
    assert found.scores["pq_pooled"] == 1
    assert told[-1] == f"settings tried: {len(told)}, best pq_pooled 1.0000"
    assert judging.tune(learnt, {"minimum_size": 10}, told.append) is None
