"""Trainings in processes of their own: all are finished, failures are named, a signal lets each save its step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segraft.errors import UserError
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings
from segraft.training.side_by_side import finish_all

TINY = {"dataset": "synthetic", "patch": (32, 32), "batch": 1, "width": 1, "workers": 0, "device": "cpu"}


def settings(out: Path, **own: object) -> TrainSettings:
    return TrainSettings(**{**TINY, "options": {"count": 1}, "steps": 2, "out": out, **own})


def test_all_are_finished_and_failures_are_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trainings = {
        "good": settings(tmp_path / "good"),
        "bad": settings(tmp_path / "bad", channels=(7,)),
        "done": settings(tmp_path / "good"),
    }
    with pytest.raises(UserError, match=r"^bad: channels of .*got \(7,\)"):
        finish_all({name: trainings[name] for name in ("good", "bad")}, 2)
    assert RunFolder(tmp_path / "good").model.exists()
    assert not RunFolder(tmp_path / "bad").model.exists()
    printed = capfd.readouterr().out
    assert "[1/2] good: 2 steps" in printed
    assert f"[1/2] good: {tmp_path / 'good'}: 2 steps done" in printed
    finish_all({"done": trainings["done"]}, 2)
    assert not capfd.readouterr().out, "what is done is not trained again"


SCRIPT = """
import sys
from pathlib import Path
from segraft.cli import app, main
from segraft.settings import TrainSettings
from segraft.training.side_by_side import finish_all

out = Path(sys.argv[1])
common = {"dataset": "synthetic", "patch": (32, 32), "batch": 1, "width": 1, "workers": 0, "device": "cpu"}
trainings = {
    name: TrainSettings(**common, options={"count": 1}, steps=100_000, validate_every=100_000, out=out / name)
    for name in ("a", "b", "c")
}

@app.command
def both() -> None:
    finish_all(trainings, 2)

sys.exit(main(["both"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_each_save_its_step(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    metrics = [RunFolder(tmp_path / name).metrics for name in ("a", "b")]
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in metrics) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    for name in ("a", "b"):
        assert RunFolder(tmp_path / name).last.exists()
        assert f"[{'ab'.index(name) + 1}/3] {name}: segraft: stopped" in out
    assert not (tmp_path / "c").exists(), "none is begun any more"
