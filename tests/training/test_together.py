"""Processes that train together: they learn as one, validate as one, stop as one and fail as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from torch import distributed
from torch.nn import functional

from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.errors import UserError
from segraft.networks import create_network
from segraft.training.module import TrainingModule
from segraft.training.together import environment, machines
from segraft.training.validation import Validation
from shared.models import a_model
from shared.ranks import on_ranks
from shared.runs import FILES, PROJECT, SMALL, assert_same_run, checkpoint, history, squares

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
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, 2, 1),  # within a job, but not started by srun
        ({"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2", "SLURM_NTASKS_PER_NODE": "2"}, 4, 2),
        ({"SLURM_STEP_NUM_TASKS": "4"}, 4, "ntasks-per-node: got none, expected 4; give it to sbatch or srun"),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1"}, 2, 1),
        ({"SLURM_STEP_NUM_TASKS": "4"}, 1, "got 1, expected 4, as many as srun started"),
        ({"SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_NUM_NODES": "2"}, 3, "the same number on each"),
        ({"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1"}, 2, 1),
        ({"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "1"}, 2, "got 2, expected 1, as many as torchrun started"),
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


LAUNCHERS = {"alone": [], "torchrun": ["-m", "torch.distributed.run", "--nproc-per-node", "2"]}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_killed_on_the_command_line(cells: Path, tmp_path: Path, launcher: str) -> None:
    """Only the process that was started is asked to end: both end after the same step, and one speaks."""
    out = tmp_path / "run"
    words = [*LAUNCHERS[launcher], "-m", "segraft", "train", "folder", "--root", cells, "--out", out, "--devices", 2]
    words += ["--width", 2, "--patch", 32, 32, "--device", "cpu", "--workers", 1]
    words += ["--steps", 100_000, "--validate-every", 100_000]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, *map(str, words)], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        metrics = out / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text()):
            time.sleep(0.1)
        process.terminate()
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert errors.count("stopped and saved after step") == 1
    assert checkpoint(out)["global_step"] >= 1
    if launcher == "alone":
        assert (process.returncode, len(errors.splitlines())) == (143, 1), errors


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train"}, LightningEnvironment),
        ({"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}, SLURMEnvironment),
        ({"TORCHELASTIC_RUN_ID": "1", "SLURM_STEP_NUM_TASKS": "2"}, TorchElasticEnvironment),
    ],
)
def test_who_starts_the_processes(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], kind: type) -> None:
    """A job's script that starts without srun is alone, though Slurm gave it more tasks."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert type(environment()) is kind
