"""Tables IV to VI and Fig. 6: which terms, which weights, how wide a student, how much memory.

The paper has them on CVPPP, which is given out on request only; on BBBC039 anybody can repeat them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

from segraft.paper.columns import Column
from segraft.paper.pairs import BBBC039, CVPPP, Bench, called, recipe
from segraft.paper.published import PublishedValue, lines, published
from segraft.paper.recipe import Recipe
from segraft.weights import GRAPH_WEIGHTS

BENCHES = (CVPPP, BBBC039)
"""The paper's data set, and the one that may stand in its place."""
TEACHER, STUDENT = "resunet", "mobilenet"
"""The pair of Tables IV and V and of Fig. 6."""
LAMBDAS = {f"lambda{number}": term for number, term in enumerate(GRAPH_WEIGHTS, 1)}
"""Terms by the number of their weight in Eq. 8."""
WIDTHS = {"1/20": 2, "1/15": 3, "1/10": 4, "1/5": 7}
"""Widths of Table VI's students by the part of the teacher's that the paper calls them."""
TINY = "1/10"
"""ResUNet-tiny, a recipe of Table II."""
WIDE_METHODS = {"none": "alone", "graph": "Ours"}
"""How students of Table VI are trained."""
K, L = 32, 12
"""The paper's choice of the memory bank's size and of the images drawn from it."""
MEMORY = {"k": ("bank_size", (8, 16, 64)), "l": ("bank_samples", (4, 8, 16))}
"""What Fig. 6 varies. Its plotted values cannot be read off the text: these are ours, around the paper's choice."""


def ablations(bench: Bench) -> Iterator[Recipe]:
    """All recipes of Tables IV to VI and Fig. 6 on a data set that are not in Table II already."""
    for line in lines("table4"):
        on = {term: float(line[term]) * weight for term, weight in GRAPH_WEIGHTS.items()}
        if any(on.values()) and not all(on.values()):
            yield _student(bench, 4, line["row"], on)
    for line in lines("table5"):
        weights = {term: float(line[name]) for name, term in LAMBDAS.items()}
        if weights != GRAPH_WEIGHTS:
            yield _student(bench, 5, line["row"], weights)
    yield from _memories(bench)
    yield from _widths(bench)


def _memories(bench: Bench) -> Iterator[Recipe]:
    """Points of Fig. 6; no more images are drawn than the bank holds."""
    for letter, (setting, counts) in MEMORY.items():
        for count in counts:
            sizes: dict[str, Any] = {"bank_size": K, "bank_samples": L, setting: count}
            sizes["bank_samples"] = min(sizes.values())
            ending, row = f"{STUDENT}-{letter}-{count}", memory_row(*sizes.values())
            yield recipe(bench, "fig6", ending, row, STUDENT, TEACHER, "graph", values={}, **sizes)


def _widths(bench: Bench) -> Iterator[Recipe]:
    """Students of Table VI that are not ResUNet-tiny."""
    for part, method in product(WIDTHS, WIDE_METHODS):
        if part == TINY:
            continue
        width, named = WIDTHS[part], WIDE_METHODS[method]
        values = _values(bench, 6, width_of_teacher=part, method="none" if method == "none" else named)
        yield recipe(
            bench,
            "table6",
            f"resunet-tiny-width-{width}-{method}",
            width_row(part, named),
            "resunet-tiny",
            None if method == "none" else TEACHER,
            method,
            values=values,
            width=width,
        )


def _student(bench: Bench, table: int, row: str, changes: dict[str, float]) -> Recipe:
    """A row of Table IV or V with its own weights."""
    values = _values(bench, table, row=row)
    label = row_label(table, row)
    return recipe(
        bench, f"table{table}", f"{STUDENT}-row-{row}", label, STUDENT, TEACHER, "graph", values=values, changes=changes
    )


def _values(bench: Bench, table: int, **keys: str) -> dict[Column, PublishedValue]:
    """Published scores of Tables IV to VI; none on another data set than the paper's."""
    return {column: published(table, column.title, **keys) for column in bench.columns} if bench is CVPPP else {}


def row_label(table: int, row: str) -> str:
    """What a row of Table IV or V is called: its terms, or its weights."""
    (line,) = (each for each in lines(f"table{table}") if each["row"] == row)
    if table == 4:
        return f"{row}: " + (" + ".join(term for term in GRAPH_WEIGHTS if line[term] == "1") or "alone")
    return f"{row}: " + ", ".join(f"λ{name[-1]} = {line[name]}" for name in LAMBDAS)


def width_row(part: str, named: str) -> str:
    """What a row of Table VI is called."""
    return f"S{part}, {named}"


def memory_row(size: int, samples: int) -> str:
    """What a point of Fig. 6 is called."""
    return f"K = {size}, L = {min(size, samples)}"


def rows(bench: Bench, place: str) -> dict[str, str]:
    """Recipes of ``table4``, ``table5``, ``table6`` or ``fig6`` by the label of their row, with those of Table II."""
    own = {each.row: each.name for each in ablations(bench) if each.place == place}
    alone, ours = (called(bench, f"{STUDENT}-{method}") for method in WIDE_METHODS)
    if place == "table4":
        return {row_label(4, "1"): alone, **own, row_label(4, "6"): ours}
    if place == "table5":
        return {row_label(5, "1"): ours, **own}
    if place == "fig6":
        return {memory_row(K, L): ours, **own}
    tiny = {width_row(TINY, named): called(bench, f"resunet-tiny-{end}") for end, named in WIDE_METHODS.items()}
    return {
        label: (own | tiny)[label] for part in WIDTHS for label in map(partial(width_row, part), WIDE_METHODS.values())
    }
