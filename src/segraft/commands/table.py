"""Print a table of the paper: published beside measured scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.errors import UserError, choose
from segraft.files import write_text
from segraft.metrics.protocols import OURS, PAPER
from segraft.paper import RECIPES, TABLES
from segraft.paper.cost import size, size_of
from segraft.paper.networks import METRICS, NETWORK_ROWS
from segraft.paper.printing import DAMAGED, MISSING, NONE_YET, ROMAN, SIZED, cell, title
from segraft.paper.results import Result, finished
from segraft.paper.tables import Part
from segraft.terminal.tables import print_table

Grid = tuple[str, list[str], list[list[str]]]
"""Title, header and rows."""


def table(number: str, *, runs: str | Path = "runs", markdown: str | Path | None = None) -> None:
    """Print a table of the paper, published beside measured: "published / measured" in every cell.

    Measured is by the protocol paper, and by ours beside it where that says something else: the mean ± standard
    deviation over seeds of the recipe's finished runs with the largest budget there is. Table I is counted.

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
    results = finished(Path(runs))
    grids = list(_grids(chosen, results))
    for heading, header, rows in grids:
        shown = Table(*header, title=heading, box=SIMPLE_HEAD)
        for row in rows:
            shown.add_row(*row)
        print_table(shown)
    notes = _notes(chosen, results)
    print(*notes, sep="\n")
    if markdown is not None:
        path = Path(markdown)
        if path.is_dir():
            raise UserError(f"markdown: got the folder {path}, expected a file; give another name")
        write_text(path, "\n".join([*map(_markdown, grids), *notes]) + "\n")


def _markdown(grid: Grid) -> str:
    heading, header, rows = grid
    lines = [header, ["---"] * len(header), *rows]
    text = "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
    return f"**{heading}**\n\n{text}"


def _grids(number: int, results: Sequence[Result]) -> Iterator[Grid]:
    """The parts of a table."""
    heading = f"Table {number}: {TABLES[number].title}"
    if number == 1:
        yield _networks(heading)
    for part in TABLES[number].parts:
        yield _part(f"{heading}; {part.title}", part, number == SIZED, results)


def _networks(heading: str) -> Grid:
    """Table I: published / counted."""
    rows = []
    for row in NETWORK_ROWS:
        params, macs = size_of(row)
        counted = (f"{params / 1e6:.2f}", f"{macs / 1e9:.2f}", NONE_YET)
        cells = [f"{row.published(name).digits} / {each}" for name, each in zip(METRICS, counted, strict=True)]
        rows.append([row.title, " × ".join(map(str, row.shape)), *cells])
    return heading, ["network", "image", *METRICS.values()], rows


def _part(heading: str, part: Part, sized: bool, results: Sequence[Result]) -> Grid:
    """Rows of one data set."""
    header = ["row", *(["params M", "GMACs"] if sized else []), *(title(column) for column in part.columns)]
    rows = []
    for label, name in part.rows.items():
        recipe = RECIPES[name]
        cells = [f"{size(recipe)[0] / 1e6:.3f}", f"{size(recipe)[1] / 1e9:.2f}"] if sized else []
        rows.append([label, *cells, *(cell(recipe, column, results) for column in part.columns)])
    return heading, header, rows


def _notes(number: int, results: Sequence[Result]) -> list[str]:
    """What a reader must know."""
    if number == 1:
        return ["Cells: published / counted, convolutions only.", TABLES[1].note]
    notes = [
        f"Cells: published / measured by the protocol {PAPER.name}, and by {OURS.name} where it says something else.",
        f'"{MISSING}" is not in the paper, "{NONE_YET}" not measured; {DAMAGED} computed from the text.',
    ]
    if any(each.recipe in TABLES[number].recipes and not each.comparable for each in results):
        notes.append(
            "Scores with a budget in brackets are of other experiments: not comparable with the published ones."
        )
    return [*notes, *filter(None, [TABLES[number].note])]
