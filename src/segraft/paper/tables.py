"""The paper's tables and Fig. 6: which recipes are their rows, on which data, and which of our scores their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segraft.paper import ablations, pairs
from segraft.paper.columns import Column
from segraft.paper.pairs import CVPPP, Bench
from segraft.paper.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        *(each for bench in pairs.BENCHES for each in pairs.recipes(bench)),
        *(each for bench in ablations.BENCHES for each in ablations.ablations(bench)),
    )
}
"""Every recipe by name."""


@dataclass(frozen=True)
class Part:
    """The rows of a table that are of one data set: recipes by the label of their row, and columns."""

    title: str
    rows: Mapping[str, str]
    columns: tuple[Column, ...]
    name: str
    """What recipes call the data set."""
    dataset: str
    """Name of its reader."""
    in_paper: bool = True
    """Whether the paper has these rows, or another data set stands in the place of the paper's."""


@dataclass(frozen=True)
class Table:
    """A table of the paper, by data sets."""

    title: str
    parts: tuple[Part, ...]
    note: str = ""

    @property
    def recipes(self) -> tuple[str, ...]:
        """Names of all its recipes, each once."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.rows.values()))


def _pairs(number: int) -> tuple[Part, ...]:
    """Parts of Table II or III."""
    benches = [bench for bench in pairs.BENCHES if bench.table == number]
    return tuple(_part(bench, {each.row: each.name for each in pairs.recipes(bench)}) for bench in benches)


def _ablation(place: str) -> tuple[Part, ...]:
    """Parts of Tables IV to VI and of Fig. 6: the paper's data set, and what may stand in its place."""
    return tuple(_part(bench, ablations.rows(bench, place), bench is CVPPP) for bench in ablations.BENCHES)


def _part(bench: Bench, rows: Mapping[str, str], in_paper: bool = True) -> Part:
    title = bench.title if in_paper else f"{bench.title}, in place of {CVPPP.title}"
    return Part(title, rows, bench.columns, bench.name, bench.dataset, in_paper and bool(bench.paper))


TABLES: dict[int, Table] = {
    1: Table("Parameters, multiply-adds and inference time", (), "No trainings: see segraft.paper.networks."),
    2: Table(
        "CVPPP, C. elegans (BBBC010) and BBBC039",
        _pairs(2),
        'Columns: the paper\'s "Dice" is our f1 (objects), its "F1" our dice (pixels).',
    ),
    3: Table("AC3/4 and CREMI", _pairs(3), "Whether the paper's VOI is in bits, as ours, is not stated."),
    4: Table("Terms of the loss, ResUNet → MobileNet", _ablation("table4")),
    5: Table("Weights of the terms, ResUNet → MobileNet", _ablation("table5")),
    6: Table("Widths of the student, ResUNet", _ablation("table6")),
}
"""The tables by number."""
FIGURES: dict[int, Table] = {
    6: Table(
        "Memory bank: its size K and the images L drawn from it, ResUNet → MobileNet",
        _ablation("fig6"),
        "The paper's values are in an image: no number is published. Values of K and L beside 32 and 12 are ours.",
    )
}
"""Figures of the paper that show scores of recipes."""
