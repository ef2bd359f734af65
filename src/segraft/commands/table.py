"""Print a table of the paper: published beside measured scores."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.commands.orders import Order
from segraft.commands.table_runs import Attempt, train_missing
from segraft.commands.table_times import NAME, REPEATS, Times
from segraft.errors import UserError, choose
from segraft.files import write_text
from segraft.paper import TABLES
from segraft.paper.budget import Budget
from segraft.paper.comparison import Comparison
from segraft.paper.documents import document
from segraft.paper.gathering import gather
from segraft.paper.networks_document import networks_document, rows_called
from segraft.paper.printing import ROMAN
from segraft.paper.selection import Selection
from segraft.paper.sheets import Document, Sheet
from segraft.paper.tables import Part
from segraft.terminal.tables import print_table

KINDS = {".md": "Markdown", ".csv": "values, one a line", ".html": "a page"}
"""What is written, by the ending of the file."""
NETWORKS = 1
"""The table that trains nothing."""


def table(
    number: str,
    *,
    runs: str | Path = "runs",
    out: str | Path | None = None,
    dataset: Sequence[str] = (),
    methods: Sequence[str] = (),
    rows: Sequence[str] = (),
    run: bool = False,
    root: str | Path | None = None,
    seeds: int | None = None,
    repeats: int | None = None,
    device: str = "auto",
    **budget: Any,
) -> int:
    """Print a table of the paper, published beside measured, and return the exit code.

    Measured is the mean ± standard deviation over seeds of the finished runs in a folder, by both protocols; every
    budget has a line of its own. With ``run`` what is missing is trained first, as segraft recipe does; stopped and
    given again it goes on. Table I is counted, and timed with ``run``.

    Parameters
    ----------
    number : of the table, 1 to 6 or I to VI
    runs : folder of the recipes' runs
    out : file to write as well: .md Markdown, .csv all values one a line, .html a page of its own
    dataset : data sets of the table, such as bbbc039; by default all
    methods : teacher, none, at, spkd, rekd, biskd, graph; by default all
    rows : parts of rows' names, or recipes' names; what they are compared with comes along
    run : train what is missing first; in Table I, time the networks
    root : folder of the data set, or one that holds a folder of each data set's name
    seeds : runs of each student that there shall be, by default 1; teachers are trained once
    repeats : passes that are timed in Table I, by default 3
    device : where to train or to time: auto, cpu, cuda or mps
    budget : what trainings spend, by name: scale, steps, patch, batch, rate, teacher_width, cache and training

    Returns
    -------
    0; 1 where some runs failed or could not be read; 2 where all failed, or there was no data

    Raises
    ------
    UserError : there is no such table, data set, method or row, a number is out of range, or the file cannot be written
    """
    known = {str(value): value for value in TABLES} | ROMAN
    chosen = choose("table", str(number).upper(), known)
    path = None if out is None else Path(out)
    if path is not None:
        check_file(path)
    selection = Selection(dataset, methods, rows)
    spending = Budget.of(budget)
    told = {"root": root, "seeds": seeds, **spending.told}
    if chosen == NETWORKS:
        _refuse({"dataset": dataset, "methods": methods, **told}, "for Table 1", "trains nothing")
        made, code = _networks(rows, Path(runs), run, repeats, device)
    else:
        _refuse({"repeats": repeats}, f"for Table {chosen}", "is not timed")
        if not run:
            _refuse(told, "without --run", "trains nothing")
        order = _order(root, Path(runs), spending, device) if run else None
        made, code = _scores(chosen, selection, Path(runs), order, 1 if seeds is None else seeds)
    show(made)
    if path is not None:
        write(made, path)
    return code


def _scores(number: int, selection: Selection, runs: Path, order: Order | None, seeds: int) -> tuple[Document, int]:
    """Tables II to VI, after training what is missing; and the exit code."""
    parts = selection.parts(number)
    attempt = Attempt() if order is None else train_missing(parts, order, seeds)
    gathered = gather(runs)
    comparison = Comparison(gathered.runs)
    problems = [
        *attempt.without_data,
        *(f"Failed: {task}: {reason}." for task, reason in attempt.failed.items()),
        *(f"Left out: {reason}." for reason in (*gathered.damaged, *gathered.foreign)),
    ]
    for line in (*attempt.without_data, *gathered.damaged):
        print(f"segraft: {line}", file=sys.stderr, flush=True)
    made = document(number, _shown(parts, comparison, selection), comparison, problems)
    unread = 0 if not gathered.damaged else 1 if gathered.runs else 2
    return made, max(attempt.code, unread)


def _shown(parts: Sequence[Part], comparison: Comparison, selection: Selection) -> list[Part]:
    """Parts that the paper has, that are measured, or that were asked for."""
    return [
        part
        for part in parts
        if part.in_paper or selection.datasets or any(line.group is not None for line in comparison.lines(part))
    ]


def _networks(rows: Sequence[str], runs: Path, run: bool, repeats: int | None, device: str) -> tuple[Document, int]:
    """Table I, after timing what is missing; and the exit code."""
    if not run:
        _refuse({"repeats": repeats}, "without --run", "times nothing")
    chosen = rows_called(rows)
    times = Times(runs / NAME)
    timed = times.measure(chosen, REPEATS if repeats is None else repeats, device) if run else times.read()
    return networks_document(chosen, timed, "segraft table 1 --run"), 0


def _order(root: str | Path | None, runs: Path, budget: Budget, device: str) -> Order:
    """How missing runs are made."""
    if root is None or not Path(root).exists():
        found = "got none" if root is None else f"{root} does not exist"
        raise UserError(
            f"root: {found} to train what is missing, expected the folder of the data set, or one that holds a folder "
            "of each data set's name; give --root"
        )
    return Order(Path(root), runs, budget, None, device, resume=True)


def _refuse(given: dict[str, object], where: str, why: str) -> None:
    """Raise ``UserError`` for options that would do nothing."""
    names = [name for name, value in given.items() if value not in (None, (), [])]
    if names:
        raise UserError(f"{names[0]}: got {given[names[0]]} {where}, which {why}; omit it")


def show(made: Document) -> None:
    """Print sheets and notes."""
    print(made.title)
    for sheet in (*made.sheets, *([made.made] if made.made is not None else [])):
        print_table(_printed(sheet))
    print(*made.notes, sep="\n")


def _printed(sheet: Sheet) -> Table:
    shown = Table(*sheet.header, title=sheet.title, title_justify="left", box=SIMPLE_HEAD)
    for row in sheet.rows:
        shown.add_row(*row)
    return shown


def check_file(path: Path) -> None:
    """Raise ``UserError`` for a folder, and for an ending that is none of ``KINDS``, before anything is computed."""
    if path.is_dir():
        raise UserError(f"out: got the folder {path}, expected a file; give {path / 'table.md'} for example")
    choose("ending of a table's file", path.suffix.lower(), KINDS)


def write(made: Document, path: Path) -> None:
    """Write a table as its file's ending says, completely or not at all.

    Raises ``UserError`` for a full disk or a read-only folder, and where a page needs what is not installed.
    """
    if path.suffix.lower() == ".html":
        from segraft.reporting.table_page import table_page

        text = table_page(made)
    else:
        text = made.csv() if path.suffix.lower() == ".csv" else made.markdown()
    write_text(path, text)
    print(f"Written: {path}")
