"""Tables IV to VI: which terms, how much memory, how wide a student; on CVPPP, ResUNet-tiny from ResUNet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from segraft.paper.pairs import CVPPP, called
from segraft.paper.recipe import Recipe, alone, distilled
from segraft.weights import GRAPH_WEIGHTS

TEACHER = called(CVPPP, "resunet")
ALONE, FULL = called(CVPPP, "resunet-tiny-none"), called(CVPPP, "resunet-tiny-graph")
INFERRED = (
    "the data set is inferred: the paper counts multiply-adds at CVPPP's crop, 544 × 544, and names of the released "
    "configurations for CVPPP carry the settings varied here"
)
TERMS: dict[str, tuple[str, ...]] = {
    "node": ("intra_node",),
    "graph": ("intra_node", "intra_edge"),
    "affinity": ("intra_affinity",),
    "intra": ("intra_node", "intra_edge", "intra_affinity"),
    "inter-graph": ("intra_node", "intra_edge", "intra_affinity", "inter_edge"),
    "inter-affinity": ("intra_node", "intra_edge", "intra_affinity", "inter_affinity"),
}
"""Terms that are on, the others off; none and all are recipes of Table I. The choice of rows is ours."""
MEMORY = (8, 16, 64)
"""K; 32 is the paper's choice and a recipe of Table I. The other values are ours."""
CONTRAST = (4, 8, 16)
"""L; 12 is the paper's choice. The other values are ours."""
LAMBDAS: dict[str, tuple[str, tuple[float, ...]]] = {
    "lambda3": ("intra_affinity", (1.0, 20.0)),
    "lambda4": ("inter_edge", (0.1, 10.0)),
    "lambda5": ("inter_affinity", (0.1, 10.0)),
}
"""Weights that the paper is known to vary, by their number in Eq. 8; the values beside its choice are ours."""
WIDTHS = (2, 3, 7)
"""Of Table VI; width 4 is ResUNet-tiny itself."""


def ablations() -> Iterator[Recipe]:
    """All recipes of Tables IV to VI that are not in Table I already."""
    for name, on in TERMS.items():
        off = {term: GRAPH_WEIGHTS[term] if term in on else 0.0 for term in GRAPH_WEIGHTS}
        yield _student(4, name, " + ".join(on), changes=off)
    for count in MEMORY:
        yield _student(5, f"memory-{count}", f"K = {count}, L = {min(12, count)}", bank_size=count)
    for count in CONTRAST:
        yield _student(5, f"contrast-{count}", f"K = 32, L = {count}", bank_samples=count)
    for number, (term, values) in LAMBDAS.items():
        for value in values:
            yield _student(5, f"{number}-{value:g}", f"λ{number[-1]} = {value:g} ({term})", changes={term: value})
    for width in WIDTHS:
        yield _alone(width)
        yield _student(6, f"width-{width}-graph", f"width {width}, ours", width=width)


def _student(table: int, ending: str, row: str, changes: Mapping[str, float] | None = None, **own: Any) -> Recipe:
    name = f"table{table}-cvppp-resunet-tiny-{ending}"
    settings = distilled(
        name, 2, TEACHER, "graph", changes, dataset="cvppp", network="resunet-tiny", **CVPPP.settings, **own
    )
    return _recipe(name, table, row, settings, TEACHER)


def _alone(width: int) -> Recipe:
    name = f"table6-cvppp-resunet-tiny-width-{width}-none"
    settings = alone(name, 2, dataset="cvppp", network="resunet-tiny", width=width, **CVPPP.settings)
    return _recipe(name, 6, f"width {width}, alone", settings)


def _recipe(name: str, table: int, row: str, settings: Any, teacher: str | None = None) -> Recipe:
    return Recipe(
        name=name,
        table=table,
        row=row,
        settings=settings,
        teacher=teacher,
        true_foreground=True,
        notes=INFERRED,
    )
