"""Teachers and students of every kind of image and setting, alone, fine-tuned and on two processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import segraft
from segraft.commands.distill import distill
from segraft.commands.train import train
from shared.runs import PROJECT, SETS, SMALL, assert_same, assert_same_run, history, recorded


@pytest.mark.parametrize(
    ("dataset", "settings"),
    [
        pytest.param("colour", {}, id="colour"),
        pytest.param("colour", {"channels": (0, 2)}, id="two channels"),
        pytest.param("colour", {"channels": (1,)}, id="one channel"),
        pytest.param("sparse", {}, id="hardly any instance"),
        pytest.param("grey", {"precision": "bfloat16"}, id="bfloat16"),
        pytest.param("grey", {"precision": "float16"}, id="float16"),
        pytest.param("grey", {"optimizer": "adamw", "decay": 0.1, "schedule": "constant", "clip": None}, id="adamw"),
        pytest.param("grey", {"batch": 1, "validation_images": 1, "background": "separate"}, id="one image"),
    ],
)
def test_teacher_and_student(tmp_path: Path, dataset: str, settings: dict[str, Any]) -> None:
    given = SMALL | {"steps": 2} | settings
    train(dataset, out=tmp_path / "teacher", **given)
    model = distill(dataset, out=tmp_path / "student", teacher=tmp_path / "teacher", **given)
    assert all(torch.isfinite(weight).all() for weight in model.runner.network.state_dict().values())
    wanted = len(settings["channels"]) if "channels" in settings else len(SETS[dataset]["train"][0].image)
    assert model.geometry.in_channels == wanted
    assert model.predict(SETS[dataset]["val"][0].image).shape == (40, 44)


def test_three_images_are_enough(cells: Path, tmp_path: Path) -> None:
    for path in cells.rglob("*.tif"):
        if path.stem not in ("00", "01", "02"):
            path.unlink()
    train("folder", root=str(cells), out=str(tmp_path / "run"), **SMALL | {"steps": 1})


def test_the_student_is_small(tmp_path: Path) -> None:
    train("grey", out=tmp_path / "run", **SMALL | {"width": None, "dim": 16, "steps": 1})
    assert (tmp_path / "run" / "model.safetensors").stat().st_size < 2e6
    labels = segraft.load(tmp_path / "run").predict(SETS["grey"]["val"][0].image)
    assert (labels.shape, labels.dtype) == ((40, 44), np.uint32)


def test_distillation_by_no_method_is_training_alone(runs: dict[str, Path], tmp_path: Path) -> None:
    distill(**recorded(runs["train"], out=tmp_path / "run", teacher=runs["train"], method="none"))
    assert_same_run(tmp_path / "run", runs["train"])


def test_fine_tuning_starts_from_the_model(runs: dict[str, Path], tmp_path: Path) -> None:
    """A step at a vanishing rate moves nothing but the statistics of batch normalisation."""
    train(**recorded(runs["train"], out=tmp_path / "run", init=runs["train"], steps=1, rate=1e-30))
    tuned, before = (load_file(run / "model.safetensors") for run in (tmp_path / "run", runs["train"]))
    weights = [name for name in before if "running" not in name and "num_batches" not in name]
    assert weights
    assert all(torch.equal(tuned[name], before[name]) for name in weights)


@pytest.mark.slow
def test_two_processes_share_the_bank(runs: dict[str, Path], tmp_path: Path) -> None:
    """Both ranks see other images and remember the same."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            import torch
            from segraft.training.module import TrainingModule
            from segraft.commands.distill import distill

            def keep(self, outputs, batch, index):
                state = (self.distiller.memory.state_dict(), batch[0])
                torch.save(state, Path({str(tmp_path)!r}) / f"{{self.global_rank}}-{{self.global_step}}.pt")

            TrainingModule.on_train_batch_end = keep
            distill("synthetic", out={str(tmp_path / "run")!r}, teacher={str(runs["train"])!r}, bank_size=6,
                    **{SMALL | {"devices": 2, "steps": 4}!r})
            """
        )
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr
    for step in range(1, 5):
        (first, seen), (second, other) = (torch.load(tmp_path / f"{rank}-{step}.pt") for rank in (0, 1))
        assert_same(first, second)
        assert int(first["cursor"]) == 4 * step
        assert not torch.equal(seen, other)
    segraft.load(tmp_path / "run")
    assert [line["step"] for line in history(tmp_path / "run") if "val" in line] == [3, 4]
