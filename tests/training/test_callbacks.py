"""What is left behind: whole files, the best model, and no more lines than the checkpoint knows."""

from __future__ import annotations

import json
import math
import re
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import lightning
import pytest
import torch

from segraft.errors import UserError
from segraft.settings import DistillSettings, TrainSettings
from segraft.training.callbacks import Recorder, Stopped
from segraft.training.interruption import interruptible
from segraft.training.module import TrainingModule

Scores = list[dict[str, float]]


class Run:
    """A recorder in a pretended training: ``step`` says what training and validation came to."""

    def __init__(self, out: Path, **settings: Any) -> None:
        self.saved: list[int] = []
        self.settings = TrainSettings(
            **{"dataset": "none", "out": out, "steps": 100, "validate_every": 1, "monitor": "aji", **settings}
        ).for_dimension(2)
        self.scores: dict[str, float] = {}
        self.recorder = Recorder(
            self.settings, lambda: self.scores, lambda: self.saved.append(self.trainer.global_step)
        )
        self.module = Mock(spec=TrainingModule)
        self.trainer = Mock(spec=lightning.Trainer)
        self.trainer.configure_mock(is_global_zero=True, global_step=0, max_steps=100, should_stop=False)
        self.trainer.strategy.reduce_boolean_decision = lambda value, all: value
        self.trainer.save_checkpoint = lambda path: Path(path).write_text(str(self.trainer.global_step))
        self.recorder.folder.last.parent.mkdir(parents=True)
        self.recorder.on_train_start(self.trainer, self.module)

    def step(self, score: float = 0.5, term: float = 1.0, found: int = 1) -> None:
        self.recorder.on_train_batch_start(self.trainer, self.module)
        self.trainer.global_step += 1
        self.module.terms = {"affinity": torch.tensor(term)}
        self.scores = {"aji": score, "voi": score, "pq_pooled": score, "tp": found, "fn": 24 - found}
        self.recorder.on_train_batch_end(self.trainer, self.module)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.recorder.folder.metrics.read_text().splitlines()]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    made = Run(tmp_path)
    yield made
    made.recorder.on_train_end(made.trainer, made.module)


def ended(run: Run) -> Run:
    run.recorder.on_train_end(run.trainer, run.module)
    return run


def test_the_best_model_is_kept(run: Run) -> None:
    for score in (0.2, 0.5, 0.5, 0.4, 0.6):
        run.step(score)
    assert run.saved == [1, 2, 3, 5], "of equal ones the latest"
    assert [line["step"] for line in run.lines if line.get("kept")] == run.saved
    assert [line["val"]["aji"] for line in run.lines if "val" in line] == [0.2, 0.5, 0.5, 0.4, 0.6]


def test_some_scores_are_better_when_low(tmp_path: Path) -> None:
    run = Run(tmp_path, monitor="voi")
    for score in (2.0, 3.0, 1.0):
        run.step(score)
    assert ended(run).saved == [1, 3]


def test_a_model_is_kept_even_if_its_score_is_undefined(run: Run) -> None:
    for score in (math.nan, math.nan, 0.1, math.nan):
        run.step(score)
    assert run.saved == [1, 2, 3]


def test_patience(tmp_path: Path) -> None:
    run = Run(tmp_path, patience=2)
    stops = []
    for score in (0.2, 0.1, 0.3, 0.3, 0.1):
        run.step(score)
        stops.append(run.trainer.should_stop)
    assert stops == [False, False, False, False, True]
    again = Recorder(run.settings, dict, lambda: None)
    again.load_state_dict(ended(run).recorder.state_dict())
    run.trainer.should_stop = False
    again.on_train_start(run.trainer, run.module)
    again.on_train_end(run.trainer, run.module)
    assert run.trainer.should_stop


def test_patience_begins_with_the_first_object(tmp_path: Path) -> None:
    """A network that learns blank images first scores well in them, finds nothing, and has yet to learn the rest."""
    run = Run(tmp_path, patience=3)
    for score in (0.8, 0.8, 0.8, 0.8, 0.7):
        run.step(score, found=0)
        assert not run.trainer.should_stop
    stops = []
    for score in (0.9, 0.5, 0.5, 0.5):
        run.step(score, found=20)
        stops.append(run.trainer.should_stop)
    assert stops == [False, False, False, True]
    assert ended(run).recorder.state_dict()["found"]


def test_a_checkpoint_of_an_earlier_version_counts_every_validation(run: Run) -> None:
    run.recorder.load_state_dict({"best": 0.5, "waited": 2, "scores": {"aji": 0.5}, "seconds": 1.0})
    run.step(0.4, found=0)
    assert run.recorder.waited == 3


def test_without_patience_nothing_stops(run: Run) -> None:
    for _ in range(20):
        run.step(0.0)
    assert not run.trainer.should_stop


def test_checkpoints_know_the_validation_at_their_step(run: Run) -> None:
    state: list[dict[str, Any]] = []
    run.trainer.save_checkpoint = lambda path: (Path(path).write_text(""), state.append(run.recorder.state_dict()))
    run.step(0.7)
    assert (state[0]["best"], state[0]["scores"]["aji"]) == (0.7, 0.7)


def test_an_interruption_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    run = Run(tmp_path / "a run", validate_every=50)
    run.step()
    assert not run.recorder.folder.last.exists()
    run.recorder.interrupt(signal.SIGTERM)
    with pytest.raises(
        Stopped, match=r"after step 2 of 100; go on with: segraft train --config '.*a run' --resume$"
    ) as stopped:
        run.step()
    assert ended(run).recorder.folder.last.read_text() == "2"
    assert [line["step"] for line in run.lines] == [1]
    assert stopped.value.code == 143


def test_what_fails_while_a_stopped_training_is_cleaned_up_is_not_told(run: Run) -> None:
    def stopped() -> None:
        try:
            run.recorder.interrupt(signal.SIGTERM)
        finally:
            raise RuntimeError("nothing has begun")

    with pytest.raises(Stopped, match="before the first step"), interruptible(run.recorder):
        stopped()
    with pytest.raises(RuntimeError, match="of its own"), interruptible(run.recorder):
        raise RuntimeError("of its own")


@pytest.mark.parametrize("met", [1, 2])
def test_before_the_first_step_there_is_nothing_to_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, met: int
) -> None:
    """Workers that start may take long. Ranks that have met stop together, which they can only after a step."""
    run = Run(tmp_path, devices=2)
    monkeypatch.setattr("segraft.training.callbacks.ranks.count", lambda: met)
    if met == 1:
        with pytest.raises(Stopped, match="stopped before the first step; go on with: segraft train"):
            run.recorder.interrupt(signal.SIGTERM)
    else:
        run.recorder.interrupt(signal.SIGTERM)
        monkeypatch.undo()
        with pytest.raises(Stopped, match="stopped and saved after step 1 of 100"):
            run.step()
    ended(run)


@pytest.mark.parametrize(("device", "before"), [("cpu", 2), ("cpu", None), ("cpu", 1), ("cuda", 2)])
def test_other_threads_are_told_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, before: int | None
) -> None:
    """Checkpoints of the first version do not tell theirs."""
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    run = Run(tmp_path, device=device)
    state = ended(run).recorder.state_dict()
    assert state.pop("threads") == 1
    monkeypatch.setattr("segraft.training.callbacks.find_device", torch.device)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run.recorder.load_state_dict(state if before is None else state | {"threads": before})
    expected = (device, before) == ("cpu", 2)
    assert [re.sub(":.*; ", "; ", str(each.message)) for each in told] == expected * [
        "resumed with 1 threads, begun with 2; OMP_NUM_THREADS=2 keeps them the same"
    ]


def test_an_interruption_on_another_rank_stops_this_one(run: Run) -> None:
    run.trainer.strategy.reduce_boolean_decision = lambda value, all: True
    with pytest.raises(Stopped):
        run.step()


def test_a_distillation_goes_on_as_one(tmp_path: Path) -> None:
    settings = DistillSettings(dataset="none", out=tmp_path, teacher=tmp_path)
    assert Recorder(settings, dict, lambda: None).command() == f"segraft distill --config {tmp_path} --resume"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_told_before_it_is_saved(run: Run, value: float) -> None:
    run.step()
    with pytest.raises(UserError, match=rf"affinity is {value} at step 2; .* lower rate"):
        run.step(term=value)
    assert run.recorder.folder.last.read_text() == "1"


def test_a_full_disk_leaves_the_last_checkpoint(run: Run) -> None:
    run.step()

    def full(path: Path) -> None:
        Path(path).write_text("half of")
        raise OSError(28, "No space left on device")

    run.trainer.save_checkpoint = full
    with pytest.raises(UserError, match=r"last\.ckpt cannot be written \(No space left on device\)"):
        run.step()
    assert run.recorder.folder.last.read_text() == "1"
    assert list(run.recorder.folder.last.parent.iterdir()) == [run.recorder.folder.last]


@pytest.mark.parametrize("what", ["open", "board"])
def test_metrics_that_cannot_be_written(run: Run, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    run.step()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    assert run.recorder._board is not None
    monkeypatch.setattr(*((Path, "open") if what == "open" else (run.recorder._board, "add_scalar")), full)
    with pytest.raises(UserError, match="cannot be written"):
        run.step()
    monkeypatch.undo()
    assert run.recorder.folder.last.read_text() == "1"
