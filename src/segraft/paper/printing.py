"""Tables for people: all recipes, one result beside the published scores, and the paper's tables."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.metrics.protocols import OURS, PAPER
from segraft.paper import RECIPES, Recipe
from segraft.paper.columns import POSTPROCESSING, Column
from segraft.paper.cost import cost
from segraft.paper.results import Result
from segraft.terminal.tables import print_table

ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6}
MISSING = "n/a"
"""A published score that the paper does not have."""
DAMAGED = "*"
"""Behind a published score that was computed from the text, for its cell was not legible."""
NONE_YET = "–"
"""What was not measured."""
SIZED = 6
"""The table that tells sizes of networks, too."""


def listing() -> None:
    """Print all recipes: table, data set, network, method, cost, published scores."""
    table = Table(
        "name", "place", "data set", "network", "method", "params M", "10¹⁵ MACs", "published", box=SIMPLE_HEAD
    )
    for each in RECIPES.values():
        params, macs = cost(each)
        width = f" (width {each.settings.width})" if each.settings.width else ""
        cells = (each.settings.dataset, each.settings.network + width, each.method)
        known = ", ".join(f"{column.title} {value.digits or MISSING}" for column, value in each.published.items())
        table.add_row(each.name, each.place, *cells, f"{params / 1e6:.3g}", f"{macs / 1e15:.0f}", known or MISSING)
    print_table(table)
    print("Run one: segraft recipe NAME --root DIR. Costs are those of its own training; its teacher is trained once.")


def compared(recipe: Recipe, result: Result) -> Table:
    """Published beside measured scores of one result, by both protocols, then those of further segmentations."""
    protocols = (PAPER.name, OURS.name)
    by = (f"by protocol {name}" for name in protocols)
    table = Table("segmentation", "paper's column", "score", "published", *by, box=SIMPLE_HEAD)
    shown = {column.segmentation for column in recipe.columns}
    further = [
        column._replace(title=NONE_YET, segmentation=name)
        for name in recipe.segmentations
        if name not in shown
        for column in recipe.columns
    ]
    for column in (*recipe.columns, *further):
        values = (result.scores[name][column.segmentation][column.metric] for name in protocols)
        published = published_text(recipe, column)
        table.add_row(column.segmentation, column.title, column.metric, published, *(f"{each:.4f}" for each in values))
    return table


def title(column: Column) -> str:
    """The paper's word, and ours where it is another; with the segmentation of neurons before it."""
    before = f"{column.segmentation}: " if column.segmentation in POSTPROCESSING else ""
    same = column.metric in column.title.lower()
    return before + (column.title if same else f"{column.title} (our {column.metric})")


def published_text(recipe: Recipe, column: Column) -> str:
    """A published score in our units, marked where the cell was damaged; or that the paper has none."""
    value = recipe.published.get(column)
    if value is None or value.score is None:
        return MISSING
    digits = f"{value.score:.3f}" if value.unit == "percent" else value.digits
    return digits + (DAMAGED if value.status == "reconstructed" else "")
