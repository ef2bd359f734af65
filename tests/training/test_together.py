"""Processes that train together: they learn as one, validate as one, stop as one and fail as one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed
from torch.nn import functional

from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.errors import UserError
from segraft.networks import create_network
from segraft.training.module import TrainingModule
from segraft.training.together import machines
from segraft.training.validation import Validation
from shared.models import a_model
from shared.ranks import on_ranks
from shared.runs import FILES, SMALL, assert_same_run, checkpoint, history, squares

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
PAIR = SMALL | {"devices": 2, "steps": 4, "batch": 2}


def together(work: Callable[[], Any]) -> list[Any]:
    """What a training gives or raises on two ranks that it lets meet."""
    return on_ranks(work, meet=False)


def at_step(step: int, rank: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> None:
    """Have one rank do something in the middle of a step."""
    original = TrainingModule.training_step

    def acting(self: TrainingModule, batch: Any, index: int) -> Any:
        if self.global_step == step - 1 and self.global_rank == rank:
            act()
        return original(self, batch, index)

    monkeypatch.setattr(TrainingModule, "training_step", acting)


def test_two_ranks_train_as_one_with_the_whole_batch(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Curves, scores and weights of whole runs, where batch normalisation takes the statistics that it has."""
    usual = functional.batch_norm
    monkeypatch.setattr(functional, "batch_norm", lambda *args, training=False, **more: usual(*args[:5], **more))

    def run(out: str, **settings: Any) -> Any:
        return distill("grey", out=tmp_path / out, teacher=runs["train"], bank_size=5, **PAIR | settings)

    first, second = together(lambda: run("two").runner.network.state_dict())
    run("one", devices=1, batch=4)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    two, one = (checkpoint(tmp_path / out)["state_dict"] for out in ("two", "one"))
    torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-5)
    for found, wanted in zip(*(history(tmp_path / out) for out in ("two", "one")), strict=True):
        assert found.pop("val", None) == wanted.pop("val", None)
        assert found == pytest.approx(wanted, rel=1e-3, abs=1e-8)
    assert {path.name for path in (tmp_path / "two").iterdir() if "events" not in path.name} == FILES - {"report.html"}


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_validate_as_one(ranks: int) -> None:
    """Also more ranks than images with objects; threshold, scores and views are those of one process."""
    learnt = a_model(create_network("resunet-tiny", 1, 4, filters=(2, 4, 8)))
    unknown = squares(2, labelled=False)
    samples = [*squares(2), unknown[0], *squares(1, empty=True), *squares(1), unknown[1]]

    def run() -> tuple[Any, ...]:
        validation = Validation(samples, pictures=3, thresholds=(0.5, 0.3, 0.1))
        scores = validation.run(learnt)
        return scores, validation.threshold, [(view.labels, view.embedding, view.aji) for view in validation.views]

    alone = run()
    for found in on_ranks(run, ranks):
        assert found[:2] == alone[:2]
        torch.testing.assert_close(found[2], alone[2], rtol=0, atol=0)
    assert len(alone[2]) == 3


def test_a_signal_to_one_stops_both_and_they_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(2, 1, patch, lambda: os.kill(os.getpid(), signal.SIGTERM))
        first, second = together(lambda: train("grey", out=out, **PAIR))
    assert str(first) == f"stopped and saved after step 2 of 4; go on with: segraft train --config {out} --resume"
    assert isinstance(second, SystemExit)
    assert checkpoint(out)["global_step"] == 2
    with pytest.raises(UserError, match="was run with another devices; resume with the same settings"):
        train(config=out, resume=True, devices=1)
    together(lambda: train(config=out, resume=True) and None)
    together(lambda: train("grey", out=tmp_path / "never stopped", **PAIR) and None)
    assert_same_run(out, tmp_path / "never stopped")


def fail(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("rank", "act", "answer"),
    [
        pytest.param(1, lambda: fail(UserError("the cache is damaged")), "the cache is damaged", id="other"),
        pytest.param(0, lambda: fail(UserError("the disk is full")), "the disk is full", id="first"),
        pytest.param(1, lambda: fail(ValueError("two\nlines")), "process 1 failed: ValueError: two lines", id="bug"),
        pytest.param(1, lambda: os.kill(os.getpid(), signal.SIGKILL), "ended without a word.*--resume", id="killed"),
    ],
)
def test_the_error_of_one_ends_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int, act: Callable[[], Any], answer: str
) -> None:
    at_step(2, rank, monkeypatch, act)
    first, second = together(lambda: train("grey", out=tmp_path / "run", **PAIR))
    with pytest.raises(UserError, match=answer) as caught:
        raise first
    assert caught.value.code == 2
    assert "\n" not in str(first)
    assert second is None or (isinstance(second, SystemExit) and not second.code)


def test_a_loss_that_is_not_finite_on_one_ends_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TrainingModule.loss_terms

    def broken(self: TrainingModule, *batch: Any) -> dict[str, torch.Tensor]:
        return {name: term / (1 - distributed.get_rank()) for name, term in original(self, *batch).items()}

    monkeypatch.setattr(TrainingModule, "loss_terms", broken)
    first, second = together(lambda: train("grey", out=tmp_path / "run", **PAIR))
    assert "is inf at step 1; expected a finite number" in str(first)
    assert isinstance(second, SystemExit)


@pytest.mark.parametrize(
    ("variables", "devices", "answer"),
    [
        ({}, 2, 1),
        ({"SLURM_NTASKS": "4"}, 2, 1),  # within a job, but not started by srun
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"}, 4, 2),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "1", "SLURM_NNODES": "1"}, 2, 1),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "4"}, 1, "got 1, expected 4, as many as srun started"),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "3", "SLURM_NNODES": "2"}, 3, "the same number on each"),
        ({"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1"}, 2, 1),
        ({"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2"}, 1, "give --devices 2, or start others"),
    ],
)
def test_as_many_processes_as_devices(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], devices: int, answer: int | str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if isinstance(answer, int):
        assert machines(devices) == answer
        return
    with pytest.raises(UserError, match=answer):
        machines(devices)
