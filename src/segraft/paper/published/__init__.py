"""Every value of the paper's Tables I to VI, as printed; ``SOURCE.md`` beside this file says how they were read."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

NUMBERS = (1, 2, 3, 4, 5, 6)
"""The tables."""
ROLES: dict[int, tuple[str, ...]] = {
    1: ("role", "network", "input"),
    2: ("teacher", "student", "method", "dataset"),
    3: ("teacher", "student", "method", "dataset", "postprocessing"),
    4: ("row", "intra_node", "intra_edge", "intra_affinity", "inter_edge", "inter_affinity"),
    5: ("row", "lambda1", "lambda2", "lambda3", "lambda4", "lambda5"),
    6: ("width_of_teacher", "method"),
}
"""Columns of the files that say what was measured, by table; the other columns hold or describe values."""
UNITS = {"SBD": "percent", "params_M": "M", "flops_GMAC": "GMAC"}
"""Of metrics that are no fractions or counts, where the file has no column for it."""
STATUSES = {
    "ok": "as printed",
    "missing": "not legible, and not to be computed from the text",
    "reconstructed": "not legible, computed from the text",
    "unmerged": "several rows stood in one cell",
}
"""How well a value is known."""


@dataclass(frozen=True)
class PublishedValue:
    """One value of a table."""

    table: int
    keys: Mapping[str, str]
    """What was measured: the ``ROLES`` of the table, in the paper's words."""
    metric: str
    """The paper's name of the column: SBD, |DiC|, AJI, params, ..."""
    digits: str
    """The value as printed; empty where it is missing."""
    status: str = "ok"
    """A name of ``STATUSES``."""
    remark: str = ""
    """What is special about it."""
    unit: str = ""
    """Its unit; nothing for fractions, counts and VOI, of which the paper does not tell whether it is in bits."""
    spread: float | None = None
    """± of inference times."""

    @property
    def value(self) -> float | None:
        """The value in the paper's unit; None where it is missing."""
        return float(self.digits) if self.digits else None

    @property
    def score(self) -> float | None:
        """The value as segraft prints scores: percent become fractions; None where it is missing."""
        return self.value / 100 if self.value is not None and self.unit == "percent" else self.value


@cache
def lines(name: str) -> tuple[dict[str, str], ...]:
    """Lines of a published file, ``table1`` to ``table6`` or ``fig6_words``, by the names of its columns."""
    text = files(__name__).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def values(table: int) -> tuple[PublishedValue, ...]:
    """All values of a table, in its order."""
    return tuple(value for line in lines(f"table{table}") for value in _values(table, line))


def published(table: int, metric: str, **keys: str) -> PublishedValue:
    """The value of a table that has these keys, some of its ``ROLES``; ``KeyError`` unless there is exactly one."""
    found = [each for each in values(table) if each.metric == metric and keys.items() <= each.keys.items()]
    if len(found) != 1:
        raise KeyError(f"Table {table} has {len(found)} values of {metric} for {keys}, expected 1")
    return found[0]


def _values(table: int, line: Mapping[str, str]) -> list[PublishedValue]:
    """The values of one line: one, whose metric it names, or one in each column that is no key."""
    keys = {name: line[name] for name in ROLES[table]}
    if "metric" in line:
        spread = line.get("spread")
        return [
            PublishedValue(
                table,
                keys,
                line["metric"],
                line["value"],
                line["status"],
                line.get("remark") or "",
                line.get("unit") or UNITS.get(line["metric"], ""),
                float(spread) if spread else None,
            )
        ]
    return [
        PublishedValue(table, keys, name, digits, unit=UNITS.get(name, ""))
        for name, digits in line.items()
        if name not in keys
    ]
