"""Tables for people: all recipes, one result beside the published scores, and the paper's tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from segraft.data.images import replacing, unwritable
from segraft.errors import UserError, choose
from segraft.recipes import RECIPES, TABLES, Recipe
from segraft.recipes.cost import cost, size
from segraft.recipes.tables import Column
from segraft.reproduction.results import Result, finished, measured

ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6}
MISSING = "n/a"
"""A published score that is not available here."""
NONE_YET = "–"
"""What was not measured."""
SIZED = 6
"""The table that tells sizes of networks, too."""


def listing() -> None:
    """Print all recipes: table, data set, network, method, cost, published scores."""
    table = Table(
        "name", "table", "data set", "network", "method", "params M", "10¹⁵ MACs", "published", box=SIMPLE_HEAD
    )
    for each in RECIPES.values():
        params, macs = cost(each)
        width = f" (width {each.settings.width})" if each.settings.width else ""
        cells = (each.settings.dataset, each.settings.network + width, each.method)
        known = ", ".join(f"{name} {value:g}" for scores in each.published.values() for name, value in scores.items())
        table.add_row(each.name, str(each.table), *cells, f"{params / 1e6:.3g}", f"{macs / 1e15:.0f}", known or MISSING)
    _show(table)
    print("Run one: segraft recipe NAME --root DIR. Costs are those of its own training; its teacher is trained once.")


def compared(recipe: Recipe, result: Result) -> Table:
    """Published beside measured scores of one result."""
    table = Table("segmentation", "paper's column", "score", "published", "measured", box=SIMPLE_HEAD)
    for column in TABLES[recipe.table].columns:
        value = result.scores[column.segmentation][column.metric]
        published = _published(recipe, column)
        table.add_row(column.segmentation, column.title, column.metric, published, f"{value:.4f}")
    return table


def table(number: str, *, runs: str | Path = "runs", markdown: str | Path | None = None) -> None:
    """Print a table of the paper, published beside measured: "published / measured" in every cell.

    Measured is the mean ± standard deviation over seeds of the recipe's finished runs at the largest scale there is.

    Parameters
    ----------
    number : of the table, 1 to 6 or I to VI
    runs : folder of the recipes' runs
    markdown : file to write the table to, as Markdown

    Raises
    ------
    UserError : there is no such table, a run's scores cannot be read, or the file cannot be written
    """
    known = {str(value): value for value in TABLES} | ROMAN
    chosen = choose("table", str(number).upper(), known)
    header, rows, notes = _content(chosen, finished(Path(runs)))
    shown = Table(*header, title=f"Table {chosen}: {TABLES[chosen].title}", box=SIMPLE_HEAD)
    for row in rows:
        shown.add_row(*row)
    _show(shown)
    print(*notes, sep="\n")
    if markdown is not None:
        lines = [header, ["---"] * len(header), *rows]
        text = "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
        path = Path(markdown)
        if path.is_dir():
            raise UserError(f"{path} is a folder; wanted a file for the Markdown; give another name")
        with unwritable(path), replacing(path) as fresh:
            fresh.write_text(text + "\n" + "\n".join(notes) + "\n", encoding="utf-8")


def _content(number: int, results: Sequence[Result]) -> tuple[list[str], list[list[str]], list[str]]:
    """Header, rows and notes of a table."""
    wanted = TABLES[number]
    sizes = ["params M", "GMACs"] if number == SIZED else []
    header = ["row", *sizes, *(_title(column) for column in wanted.columns)]
    rows = []
    for label, name in wanted.rows.items():
        recipe = RECIPES[name]
        cells = [f"{size(recipe)[0] / 1e6:.3f}", f"{size(recipe)[1] / 1e9:.2f}"] if sizes else []
        for column in wanted.columns:
            found = measured(results, name, column.segmentation, column.metric)
            cells.append(f"{_published(recipe, column)} / {found if found is not None else NONE_YET}")
        rows.append([label, *cells])
    notes = [f'Cells: published / measured; "{MISSING}" is not available here, "{NONE_YET}" not measured.']
    if any(each.recipe in wanted.rows.values() and not each.comparable for each in results):
        notes.append("Scores with a scale are of smaller experiments: not comparable with the published figures.")
    return header, rows, [*notes, wanted.note]


def _title(column: Column) -> str:
    """The paper's word, and ours where it is another."""
    theirs = column.title.rpartition(": ")[2]
    return column.title if column.metric in theirs.lower() else f"{column.title} (our {column.metric})"


def _published(recipe: Recipe, column: Column) -> str:
    value = recipe.score(column.segmentation, column.metric)
    return MISSING if value is None else f"{value:.3f}"


def _show(table: Table) -> None:
    """Print a table; in a file as wide as it needs to be."""
    console = Console()
    if not console.is_terminal:
        console.width = 250
    console.print(table)
