"""The paper's tables: which recipes are their rows, and which of our scores their columns are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from segraft.paper.ablations import ALONE, FULL, WIDTHS, ablations
from segraft.paper.pairs import BENCHES, recipes
from segraft.paper.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe for recipe in (*(each for bench in BENCHES for each in recipes(bench)), *ablations())
}
"""Every recipe by name."""


class Column(NamedTuple):
    """A column: what the paper calls it, whose segmentation it scores, and the score's true name."""

    title: str
    segmentation: str
    metric: str


@dataclass(frozen=True)
class Table:
    """A table of the paper: recipes by the label of their row, and columns."""

    title: str
    rows: Mapping[str, str]
    columns: tuple[Column, ...]
    note: str = ""


def _rows(number: int, **first: str) -> dict[str, str]:
    """Rows of a table: those of ``first``, which other tables own, and its own recipes."""
    return first | {recipe.row: recipe.name for recipe in RECIPES.values() if recipe.table == number}


LEAVES = (Column("SBD", "mutex", "sbd"), Column("|DiC|", "mutex", "dic"))
OBJECTS = (
    Column("AJI", "mutex", "aji"),
    Column("Dice", "mutex", "f1"),
    Column("F1", "mutex", "dice"),
    Column("PQ", "mutex", "pq"),
)
"""The released code prints object F1 at IoU 0.5 as "Dice" and pixel Dice as "F1": docs/differences.md."""
PARTITIONS = tuple(
    Column(f"{name}: {title}", name, metric)
    for name in ("waterz", "lmc")
    for title, metric in (("VOI", "voi"), ("ARAND", "arand"))
)
ASSUMED = "The paper itself was not accessible when this was written: which rows this table has is our reading."
TABLES: dict[int, Table] = {
    1: Table("CVPPP", _rows(1), LEAVES, ASSUMED),
    2: Table(
        "BBBC039 and C. elegans (BBBC010)",
        _rows(2),
        OBJECTS,
        f'Columns: the paper\'s "Dice" is our f1 (objects), its "F1" our dice (pixels). {ASSUMED}',
    ),
    3: Table("AC3/4 and CREMI", _rows(3), PARTITIONS, ASSUMED),
    4: Table("Terms of the loss", {"alone": ALONE} | _rows(4) | {"all, ours": FULL}, LEAVES, ASSUMED),
    5: Table("Memory (K, L) and weights", {"K = 32, L = 12, ours": FULL} | _rows(5), LEAVES, ASSUMED),
    6: Table(
        "Widths of the student",
        {
            f"width {width}, {role}": name
            for width in sorted((*WIDTHS, 4))
            for role, ending, four in (("alone", "none", ALONE), ("ours", "graph", FULL))
            for name in [four if width == 4 else f"table6-cvppp-resunet-tiny-width-{width}-{ending}"]
        },
        LEAVES,
        ASSUMED,
    ),
}
"""The tables by number."""
