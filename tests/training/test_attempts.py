"""Trainings that may have been begun before go on, or begin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from segraft.coerce import plain
from segraft.settings import TrainSettings
from segraft.training.attempts import finish


def begun(out: Path, steps: int, validated: int | None, saved: bool, tuned: bool = True) -> TrainSettings:
    """Settings whose run folder looks like that of a run which got so far."""
    settings = TrainSettings(dataset="folder", out=out, steps=steps, tune=tuned)
    (out / "checkpoints").mkdir(parents=True)
    (out / "config.yaml").write_text(yaml.safe_dump(plain(settings)))
    lines = [] if validated is None else [{"step": validated, "seconds": 1, "val": {"aji": 0.5}}]
    if tuned and validated == steps:
        lines.append({"step": validated, "seconds": 2, "tuned": True})
    if saved:
        (out / "checkpoints" / "last.ckpt").touch()
        (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return settings


@pytest.mark.parametrize(
    ("validated", "saved", "resumed"),
    [(10, True, []), (5, True, [True]), (None, True, [True]), (None, False, [True])],
)
def test_a_training_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validated: int | None, saved: bool, resumed: list[bool]
) -> None:
    ran: list[TrainSettings] = []
    monkeypatch.setattr("segraft.training.run.run", lambda each, _: ran.append(each))
    settings = begun(tmp_path / "run", 10, validated, saved)
    finish(settings)
    assert [each.resume for each in ran] == resumed


def test_a_training_whose_segmentation_was_not_tuned_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[TrainSettings] = []
    monkeypatch.setattr("segraft.training.run.run", lambda each, _: ran.append(each))
    settings = begun(tmp_path / "run", 10, 10, True, tuned=False)
    finish(settings)
    assert ran == []
    finish(replace(settings, tune=True))
    assert [each.resume for each in ran] == [True]


def test_a_training_that_was_not_begun_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[TrainSettings] = []
    monkeypatch.setattr("segraft.training.run.run", lambda each, _: ran.append(each))
    finish(TrainSettings(dataset="folder", out=tmp_path / "run"))
    assert [each.resume for each in ran] == [False]
