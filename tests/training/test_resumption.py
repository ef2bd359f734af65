"""Stopped, killed and resumed is never stopped, to the last bit."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import segraft
from segraft.cli import main
from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.errors import Notice, UserError
from segraft.settings import TrainSettings
from segraft.signals import ENDING
from segraft.training.callbacks import Stopped
from segraft.training.recorded import settings_of
from segraft.training.validation import Validation
from shared.runs import FILES, PROJECT, SMALL, assert_same_run, checkpoint, history, recorded, stop_after, verb

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.mark.parametrize(
    ("kind", "step", "workers"),
    [("train", 4, 0), ("distill", 2, 0), ("distill", 3, 0), ("distill", 5, 2), ("distill", 8, 0)],
)
def test_stopped_is_never_stopped(runs: dict[str, Path], tmp_path: Path, kind: str, step: int, workers: int) -> None:
    """Steps 3, 6 and 8 validate; the others lie between. Two workers make what none makes."""
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(step, patch)
        with pytest.raises(
            Stopped, match=f"after step {step} of 8; go on with: segraft {kind} --config {out} --resume"
        ):
            verb(kind)(**recorded(runs[kind], out=out))
    assert checkpoint(out)["global_step"] == step
    verb(kind)(config=out, resume=True, workers=workers)
    assert_same_run(out, runs[kind])


def test_a_moved_run_goes_on_where_it_is(runs: dict[str, Path], tmp_path: Path) -> None:
    begun, moved = tmp_path / "begun", tmp_path / "deep" / "moved"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(5, patch)
        with pytest.raises(Stopped):
            train(**recorded(runs["train"], out=begun))
    moved.parent.mkdir()
    begun.rename(moved)
    assert main(["train", "--config", str(moved), "--resume"]) == 0
    assert not begun.exists()
    assert yaml.safe_load((moved / "config.yaml").read_text())["out"] == str(moved)
    assert_same_run(moved, runs["train"])


def test_a_copied_run_leaves_the_original_alone(runs: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(runs["train"], tmp_path / "copy")
    assert settings_of(TrainSettings, None, copy, {"resume": True}).out == copy
    assert settings_of(TrainSettings, None, copy, {"resume": True, "out": "other"}).out == Path("other")
    for config, values in ((copy, {}), (copy / "config.yaml", {"resume": True})):
        assert settings_of(TrainSettings, None, config, values).out == runs["train"]


@pytest.mark.parametrize("number", ENDING, ids=lambda number: signal.Signals(number).name)
@pytest.mark.parametrize("step", [1, 5])
def test_every_signal_that_ends_saves_first(runs: dict[str, Path], tmp_path: Path, number: int, step: int) -> None:
    """Clusters send SIGTERM or what they are told to, closed terminals SIGHUP."""
    out, before = tmp_path / "run", [signal.getsignal(each) for each in ENDING]
    with pytest.MonkeyPatch.context() as patch:
        stop_after(step, patch, number)
        with pytest.raises(Stopped, match=f"stopped and saved after step {step} of 8; go on with") as stopped:
            train(**recorded(runs["train"], out=out))
    assert stopped.value.code == 128 + number
    assert [signal.getsignal(each) for each in ENDING] == before
    assert checkpoint(out)["global_step"] == step
    train(config=out, resume=True)
    assert_same_run(out, runs["train"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_validation_is_kept_until_its_end(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    out, validate = tmp_path / "run", Validation.run

    def interrupted(self: Validation, model: Any) -> Any:
        os.kill(os.getpid(), number)
        return validate(self, model)

    monkeypatch.setattr(Validation, "run", interrupted)
    with pytest.raises(Stopped, match="after step 3 of 8"):
        train(**recorded(runs["train"], out=out))
    monkeypatch.undo()
    assert [line["step"] for line in history(out) if "val" in line] == [3]
    train(config=out, resume=True)
    assert_same_run(out, runs["train"])


def killed(run: Callable[[], Any], at: int, before: bool) -> None:
    """Train in a process of its own that dies at the nth file that it puts in place, before or after it does so."""

    def work() -> None:
        original, count = os.replace, 0

        def dying(*args: Any, **kwargs: Any) -> None:
            nonlocal count
            count += 1
            if not (count == at and before):
                original(*args, **kwargs)
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = dying
        run()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("at", "before"),
    [
        pytest.param(2, True, id="before the metrics"),
        pytest.param(3, True, id="before the first model"),
        pytest.param(4, True, id="before the first checkpoint"),
        pytest.param(5, True, id="between two checkpoints"),
        pytest.param(5, False, id="after a later file"),
    ],
)
def test_a_killed_run_resumes(runs: dict[str, Path], tmp_path: Path, at: int, before: bool) -> None:
    out = tmp_path / "run"
    killed(lambda: distill(**recorded(runs["distill"], out=out)), at, before)
    assert {path.name for path in out.iterdir() if not path.name.startswith((".", "events"))} <= FILES
    if (out / "model.safetensors").exists():
        segraft.load(out)
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "affin')  # what a power cut leaves
    distill(config=out, resume=True)
    assert_same_run(out, runs["distill"])


def test_killed_before_it_began(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    killed(lambda: train(**recorded(runs["train"], out=out)), 1, True)
    with pytest.raises(UserError, match=r"nothing to resume .* start without --resume"):
        train(**recorded(runs["train"], out=out, resume=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_on_the_command_line(runs: dict[str, Path], cells: Path, tmp_path: Path, number: int) -> None:
    """As a terminal or a cluster sends it: to the process and its workers."""
    out = tmp_path / "run"
    words = ["train", "folder", "--root", cells, "--out", out, "--width", 2, "--patch", 32, 32, "--steps", 100_000]
    words += [
        "--validate-every",
        100_000,
        "--device",
        "cpu",
        "--workers",
        1,
        "--intensity",
        "noise",
        "--geometry",
        "flip",
    ]
    command = [sys.executable, "-m", "segraft", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        metrics = out / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text()):
            time.sleep(0.1)
        os.killpg(process.pid, number)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 128 + number, errors
    assert len(errors.strip().splitlines()) == 1
    assert f"go on with: segraft train --config {out} --resume" in errors
    assert checkpoint(out)["global_step"] >= 1


def test_a_second_ctrl_c_stops_at_once(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Validation, "run", twice)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped, match="stopped at once; go on from the last checkpoint with: segraft train"):
        train(**recorded(runs["train"], out=tmp_path / "run"))
    assert signal.getsignal(signal.SIGINT) is before


def test_threads_are_recorded_and_others_are_told(runs: dict[str, Path], tmp_path: Path) -> None:
    assert segraft.load(runs["train"]).config.training["threads"] == 1
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(2, patch)
        with pytest.raises(Stopped):
            train(**recorded(runs["train"], out=out))
    torch.set_num_threads(2)
    try:
        with pytest.warns(
            Notice, match="resumed with 2 threads, begun with 1: .* OMP_NUM_THREADS=1 keeps them the same"
        ):
            model = train(config=out, resume=True)
    finally:
        torch.set_num_threads(1)
    assert model.config.training["threads"] == 2


def test_workers_change_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", workers=2))
    assert_same_run(tmp_path / "run", runs["distill"])


def test_a_run_of_an_earlier_version_is_resumed(runs: dict[str, Path], tmp_path: Path) -> None:
    """Its configuration lacks what has become a setting since."""
    stopped = tmp_path / "run"
    shutil.copytree(runs["train"], stopped)
    values = yaml.safe_load((stopped / "config.yaml").read_text())
    for name in ("options", "offsets", "border", "filters"):
        del values[name]
    (stopped / "config.yaml").write_text(yaml.safe_dump(values))
    train(**recorded(stopped, out=stopped, resume=True))


def test_early_stopping_and_its_resumption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate, falling = Validation.run, iter((0.9, 0.5, 0.3))
    monkeypatch.setattr(Validation, "run", lambda self, model: validate(self, model) | {"aji": next(falling), "tp": 1})
    out = tmp_path / "run"
    train("grey", out=out, **SMALL | {"patience": 2, "steps": 30, "validate_every": 1, "monitor": "aji"})
    assert history(out)[-1]["step"] == 3
    before = (out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()
    train(config=out, resume=True)
    assert ((out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()) == before


def test_a_finished_run_has_nothing_to_resume(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(**recorded(runs["train"], out=out, steps=2))
    before = (out / "metrics.jsonl").read_bytes()
    train(config=out, resume=True)
    assert (out / "metrics.jsonl").read_bytes() == before
