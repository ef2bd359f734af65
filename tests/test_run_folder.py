"""A run folder says what was recorded in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segraft.run_folder import RunFolder
from shared.run_folders import make_run


def test_the_kept_model_is_the_last_that_was_kept(tmp_path: Path) -> None:
    history = [{"step": k, "val": {"aji": 0.5}, **({"kept": True} if k < 4 else {})} for k in (1, 2, 3, 4)]
    folder = RunFolder(make_run(tmp_path / "run"))
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in history))
    line = folder.best_validation()
    assert line is not None
    assert line["step"] == 3


@pytest.mark.parametrize(("monitor", "step"), [("aji", 2), ("voi", 1)])
def test_an_earlier_version_kept_the_first_best(tmp_path: Path, monitor: str, step: int) -> None:
    history = [{"step": k, "val": {"aji": a, "voi": v}} for k, a, v in ((1, 0.1, 0.5), (2, 0.9, 0.6), (3, 0.9, 0.5))]
    folder = RunFolder(make_run(tmp_path / "run", monitor=monitor))
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in history))
    line = folder.best_validation()
    assert line is not None
    assert line["step"] == step
    folder.metrics.write_text("")
    assert folder.best_validation() is None


def test_lines_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.history_until(5) == []
    lines = [json.dumps({"step": step}) + "\n" for step in (1, 5, 5, 6)]
    folder.metrics.write_text("".join(lines) + '{"step": 7, "aff')
    assert folder.history_until(5) == lines[:3]
    assert folder.history_until(9) == lines
