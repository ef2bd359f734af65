"""What is printed: all recipes, and the paper's tables from results."""

from __future__ import annotations

from pathlib import Path

import pytest

from segraft.commands.recipe import recipe
from segraft.paper import RECIPES
from segraft.paper.printing import compared
from shared.results import fake

Capture = pytest.CaptureFixture[str]


def test_published_beside_measured(tmp_path: Path) -> None:
    from rich.console import Console

    name = "table2-bbbc039-resunet-tiny-graph"
    console = Console(width=120, record=True, quiet=False)
    console.print(compared(RECIPES[name], fake(tmp_path, name, 0.5, scale=0.1)))
    lines = {line.split()[1]: line.split()[2:] for line in console.export_text().splitlines() if "mutex " in line}
    assert lines == {
        "AJI": ["aji", "0.884", "0.6200", "0.5200"],
        "Dice": ["f1", "0.946", "0.5400", "0.5400"],
        "F1": ["dice", "0.961", "0.5300", "0.5300"],
        "PQ": ["pq", "0.868", "0.5500", "0.5500"],
    }


def test_the_list_names_every_recipe(capsys: Capture) -> None:
    assert recipe() is None
    printed = capsys.readouterr().out.splitlines()
    for name, each in RECIPES.items():
        line = next(line for line in printed if line.split()[:1] == [name])
        assert each.settings.dataset in line
        assert each.method in line.split()
    ours = next(line for line in printed if line.split()[:1] == ["table2-bbbc039-resunet-tiny-graph"])
    assert "AJI 0.884, Dice 0.946, F1 0.961, PQ 0.868" in ours
