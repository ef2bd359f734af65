"""Folders keep budgets, seeds and teachers apart; commands say how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segraft.commands.orders import Order
from segraft.errors import UserError
from segraft.model import checkpoint
from segraft.networks import create_network
from segraft.paper import RECIPES
from segraft.paper.budget import Budget
from shared.models import a_config

STUDENT = RECIPES["table2-bbbc039-resunet-tiny-graph"]
ALONE = RECIPES["table2-bbbc039-resunet-tiny-none"]


@pytest.mark.parametrize(
    ("budget", "ending"),
    [
        (Budget(), ""),
        (Budget(scale=0.1), "-scale-0.1"),
        (Budget(steps=2000, patch=(256, 256), batch=4, rate=0.003), "-steps-2000-patch-256x256-batch-4-rate-0.003"),
        (Budget(steps=20, teacher_width=8, training="package"), "-steps-20-teacher-width-8-training-package"),
    ],
)
def test_budgets_and_seeds_have_folders_of_their_own(budget: Budget, ending: str, tmp_path: Path) -> None:
    for seed, tail in ((None, ""), (555, ""), (3, "-seed-3")):
        order = Order(tmp_path, Path("runs"), budget, seed, "cpu")
        settings: Any = order.settings(STUDENT)
        assert settings.out == Path(f"runs/{STUDENT.name}{ending}{tail}")
        assert settings.teacher == Path(f"runs/{STUDENT.teacher}{ending}"), "one teacher for all seeds of a student"
        assert settings.seed == (555 if seed is None else seed)
        assert order.folder(ALONE) == Path(f"runs/{ALONE.name}{ending.replace('-teacher-width-8', '')}{tail}")


def adopt(runs: Path, ending: str, percentiles: tuple[float, float] | None = None) -> Path:
    folder = runs / f"{STUDENT.teacher}-adopted-{ending}"
    folder.mkdir(parents=True)
    network: dict[str, Any] = {"name": "resunet", "filters": (2, 3, 4)}
    checkpoint.save(folder, create_network(**network), a_config(network, percentiles=percentiles))
    return folder


def test_an_adopted_teacher_is_that_of_all_students(tmp_path: Path) -> None:
    order = Order(tmp_path, tmp_path, Budget(scale=0.1), 3)
    assert order.needs_teacher(STUDENT)
    folder = adopt(tmp_path, "steps-9", (2.0, 99.0))
    settings: Any = order.settings(STUDENT)
    assert not order.needs_teacher(STUDENT)
    assert settings.teacher == folder
    assert settings.percentiles == (2.0, 99.0), "both see the same"
    assert settings.out == tmp_path / f"{STUDENT.name}-scale-0.1-teacher-adopted-seed-3"
    assert order.folder(ALONE) == tmp_path / f"{ALONE.name}-scale-0.1-seed-3"
    with pytest.raises(UserError, match=r"teacher_width: got 4, but .*-adopted-steps-9 is the teacher; omit it"):
        Order(tmp_path, tmp_path, Budget(teacher_width=4)).folder(STUDENT)
    adopt(tmp_path, "steps-10")
    with pytest.raises(UserError, match=r"adopted teachers .*steps-10, .*steps-9, expected one"):
        order.folder(STUDENT)


def test_the_command_has_what_matters() -> None:
    order = Order(Path("my data"), Path("runs"), Budget(patch=(64, 96), training="package"), 1)
    told = f"segraft recipe {STUDENT.name} --root 'my data' --patch 64 96 --training package --seed 1"
    assert order.command(STUDENT) == told
