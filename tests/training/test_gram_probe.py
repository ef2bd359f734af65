"""Embeddings are looked at while training goes on, which they do not notice; an interrupted look goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from segraft.errors import UserError
from segraft.run_folder import RunFolder
from segraft.settings import DistillSettings, TrainSettings
from segraft.training.gram_probe import STEPS, STUDENT, TEACHER, GramProbe, drift, grams_file, read_grams
from segraft.training.run import run

pytestmark = pytest.mark.usefixtures("without_reports")

TINY: dict[str, Any] = {
    "dataset": "synthetic",
    "options": {"count": 1, "size": (40, 40)},
    "patch": (32, 32),
    "batch": 2,
    "width": 1,
    "dim": 4,
    "steps": 4,
    "warmup": 0,
    "validate_every": 2,
    "foreground_threshold": 0.5,
    "tune": False,
    "workers": 0,
    "device": "cpu",
}


class StopAt(Callback):
    """A training that ends with an error."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer: Any, *_: object, **__: object) -> None:
        if trainer.global_step == self.step:
            raise ArithmeticError


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe") / "teacher"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segraft.reporting.page.available", lambda: False)
        run(TrainSettings(**{**TINY, "out": folder, "steps": 2}))
    return folder


def watched(folder: Path, every: int = 1) -> GramProbe:
    return GramProbe(grams_file(folder), every, count=3)


def test_training_does_not_notice_and_the_teacher_does_not_drift(teacher: Path, tmp_path: Path) -> None:
    alone, seen = (DistillSettings(**TINY, out=tmp_path / name, teacher=teacher) for name in ("alone", "seen"))
    run(alone)
    run(seen, [watched(seen.out, every=2)])
    weights = [torch.load(RunFolder(each.out).last, weights_only=True)["state_dict"] for each in (alone, seen)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    grams = read_grams(grams_file(seen.out))
    assert grams[STEPS].tolist() == [2, 4]
    assert grams[STUDENT].shape == grams[TEACHER].shape == (2, 3, 2, 4, 4)
    traces = np.trace(grams[STUDENT][:, :, 0], axis1=-2, axis2=-1)
    np.testing.assert_allclose(traces, 1, atol=1e-5)  # mean squares of unit vectors
    assert drift(grams[STUDENT][:, :, 0], 1).min() > 0
    assert not drift(grams[TEACHER][:, :, 0], 1).any()


def test_an_interrupted_look_goes_on_from_the_checkpoint(tmp_path: Path) -> None:
    whole, broken = (TrainSettings(**TINY, out=tmp_path / name) for name in ("whole", "broken"))
    run(whole, [watched(whole.out)])
    with pytest.raises(ArithmeticError):
        run(broken, [watched(broken.out), StopAt(3)])
    run(replace(broken, resume=True), [watched(broken.out)])
    expected, found = (read_grams(grams_file(each.out)) for each in (whole, broken))
    assert found[STEPS].tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(found[STUDENT], expected[STUDENT])


def test_drift_is_relative_to_what_is_now() -> None:
    grams = np.array([1.0, 2.0, 4.0])[:, None, None, None] * np.eye(3)[None, None]
    np.testing.assert_allclose(drift(grams, 1), [[0.5], [0.5]])
    np.testing.assert_allclose(drift(grams, 2), [[0.75]])
    assert np.isnan(drift(grams * 0, 1)).all(), "an image without instances"


def test_what_is_no_file_of_grams_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"grams\.npz cannot be read .*expected Gram matrices"):
        read_grams(grams_file(tmp_path))
    grams_file(tmp_path).write_text("no")
    with pytest.raises(UserError, match=r"grams\.npz cannot be read"):
        read_grams(grams_file(tmp_path))
