"""Print a table of the paper: published beside measured scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.errors import UserError, choose
from segraft.files import write_text
from segraft.metrics.protocols import OURS, PAPER
from segraft.paper import RECIPES, TABLES
from segraft.paper.cost import size
from segraft.paper.printing import MISSING, NONE_YET, ROMAN, SIZED, cell, title
from segraft.paper.results import Result, finished
from segraft.terminal.tables import print_table


def table(number: str, *, runs: str | Path = "runs", markdown: str | Path | None = None) -> None:
    """Print a table of the paper, published beside measured: "published / measured" in every cell.

    Measured is by the protocol paper, and by ours beside it where that says something else: the mean ± standard
    deviation over seeds of the recipe's finished runs at the largest scale there is.

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
    print_table(shown)
    print(*notes, sep="\n")
    if markdown is not None:
        lines = [header, ["---"] * len(header), *rows]
        text = "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
        path = Path(markdown)
        if path.is_dir():
            raise UserError(f"markdown: got the folder {path}, expected a file; give another name")
        write_text(path, text + "\n" + "\n".join(notes) + "\n")


def _content(number: int, results: Sequence[Result]) -> tuple[list[str], list[list[str]], list[str]]:
    """Header, rows and notes of a table."""
    table = TABLES[number]
    sizes = ["params M", "GMACs"] if number == SIZED else []
    header = ["row", *sizes, *(title(column) for column in table.columns)]
    rows = []
    for label, name in table.rows.items():
        recipe = RECIPES[name]
        cells = [f"{size(recipe)[0] / 1e6:.3f}", f"{size(recipe)[1] / 1e9:.2f}"] if sizes else []
        rows.append([label, *cells, *(cell(recipe, column, results) for column in table.columns)])
    notes = [
        f"Cells: published / measured by the protocol {PAPER.name}, and by {OURS.name} where it says something else.",
        f'"{MISSING}" is not available here, "{NONE_YET}" not measured.',
    ]
    if any(each.recipe in table.rows.values() and not each.comparable for each in results):
        notes.append("Scores with a scale are of smaller experiments: not comparable with the published figures.")
    return header, rows, [*notes, table.note]
