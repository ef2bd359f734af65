"""Small trainings: their settings, made-up images to train on, and what their run folders hold."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.training.module import TrainingModule
from segraft.types import Sample

PROJECT = Path(__file__).parents[2]
SMALL: dict[str, Any] = {
    "network": "resunet-tiny",
    "width": 2,
    "dim": 4,
    "patch": (32, 32),
    "batch": 2,
    "steps": 8,
    "warmup": 2,
    "validate_every": 3,
    "device": "cpu",
    "workers": 0,
    "geometry": ("flip",),
    "intensity": ("noise",),
    "tune": False,
}
FILES = {"config.yaml", "metrics.jsonl", "model.safetensors", "report.html", "checkpoints"}
"""What a run leaves behind, beside the events for TensorBoard."""


def squares(count: int, channels: int = 1, empty: bool = False, labelled: bool = True) -> tuple[Sample, ...]:
    """Images of 40 × 44 pixels with four squares each, or with none."""
    samples = []
    for number in range(count):
        rng = np.random.default_rng((number, channels))
        labels = np.zeros((40, 44), np.int32)
        for cell in range(0 if empty else 4):
            y, x = rng.integers(0, 30, 2)
            labels[y : y + 10, x : x + 10] = cell + 1
        image = rng.poisson(20 + 100 * (labels > 0), (channels, 40, 44)).astype(np.uint16)
        samples.append(Sample(image, labels if labelled else None, f"{number}"))
    return tuple(samples)


def speck() -> Sample:
    """An image whose only object is one pixel in a corner."""
    (sample,) = squares(1, empty=True)
    sample.labels[0, 0] = 1
    return sample


SETS: dict[str, dict[str, tuple[Sample, ...]]] = {
    "grey": {"train": squares(4), "val": squares(2)},
    "colour": {"train": squares(3, 3), "val": squares(1, 3)},
    "sparse": {"train": (*squares(3, empty=True), speck()), "val": squares(1, empty=True)},
    "unvalidated": {"train": squares(2), "val": ()},
    "unlabelled": {"train": squares(2), "val": squares(2, labelled=False)},
}


def recorded(run: Path, **changes: Any) -> dict[str, Any]:
    """Settings of a run as given to ``train`` or ``distill``, with changes."""
    return {"config": run, **changes}


def verb(kind: str) -> Callable[..., Any]:
    return {"train": train, "distill": distill}[kind]


def history(run: Path) -> list[dict[str, Any]]:
    """What a run wrote of its losses and scores, without the times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def stop_after(step: int, patch: pytest.MonkeyPatch, number: int = signal.SIGINT) -> None:
    """Have a signal come in the middle of a step."""
    original = TrainingModule.training_step

    def interrupted(self: TrainingModule, batch: Any, index: int) -> Any:
        if self.global_step == step - 1:
            os.kill(os.getpid(), number)
        return original(self, batch, index)

    patch.setattr(TrainingModule, "training_step", interrupted)


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit, through all containers."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            if name != "seconds":
                assert_same(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}[{number}]")
    else:
        assert one == other, where


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, optimiser, schedule, bank, scores and curves are equal bit for bit."""
    assert history(one) == history(other)
    states = checkpoint(one), checkpoint(other)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "callbacks"):
        assert_same(*(state[part] for state in states), part)
    assert_same(load_file(one / "model.safetensors"), load_file(other / "model.safetensors"))
