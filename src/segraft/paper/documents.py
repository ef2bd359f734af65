"""Tables II to VI: published beside measured, with the gap closed and the gain over the student alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segraft.metrics.protocols import OURS, PAPER
from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import spread
from segraft.paper.budget_letters import Letters
from segraft.paper.columns import Column
from segraft.paper.comparison import Comparison, Difference, Line, published_gap
from segraft.paper.cost import size
from segraft.paper.printing import DAMAGED, NONE_YET, SIZED, published_text, title
from segraft.paper.published import published
from segraft.paper.remarks import remarks
from segraft.paper.runs_sheet import made
from segraft.paper.sheets import Document, Sheet
from segraft.paper.tables import RECIPES, TABLES, Part
from segraft.paper.tidy import tidy

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
PUBLISHED = ("row", "published", "gap closed, published")
"""Columns where nothing is measured."""
BOTH = (
    *("row", "published", "measured, protocol paper", "protocol ours", "gap closed, published"),
    *("gap closed, measured", "minus alone, 95 %", "budget"),
)


def document(number: int, parts: Sequence[Part], comparison: Comparison, problems: Sequence[str] = ()) -> Document:
    """A table with what was measured of it; ``problems`` are lines about what had to be left out."""
    lines = {part.name: comparison.lines(part) for part in parts}
    every = [line for of_part in lines.values() for line in of_part]
    letters = Letters(every)
    sheets = [sheet for part in parts for sheet in _sheets(number, part, lines[part.name], comparison, letters)]
    heading = f"Table {number}: {TABLES[number].title}"
    notes = [*remarks(number, parts, lines, comparison, letters), *letters.notes(), *letters.differences(), *problems]
    values = [value for line in every for value in tidy(number, line, comparison)]
    return Document(heading, sheets, made(every, letters), notes, values)


def _sheets(
    number: int, part: Part, lines: Sequence[Line], comparison: Comparison, letters: Letters
) -> Iterator[Sheet]:
    """One for each column of the paper, of Table VI one for the sizes before."""
    if number == SIZED:
        yield _sizes(part)
    measured = any(line.group is not None for line in lines)
    for column in part.columns:
        arrow = ARROWS[SCORES[column.metric].better]
        rows = [_row(line, column, comparison, letters, measured) for line in lines]
        yield Sheet(f"{part.title}: {title(column)} {arrow}", BOTH if measured else PUBLISHED, rows)


def _row(line: Line, column: Column, comparison: Comparison, letters: Letters, measured: bool) -> list[str]:
    gap, damaged = published_gap(line.recipe, column)
    said = published_text(line.recipe, column)
    gap_said = _percent(gap) + DAMAGED * (damaged and gap is not None)
    if not measured:
        return [line.label, said, gap_said]
    scores = [_score(line, column, protocol.name) for protocol in (PAPER, OURS)]
    gap_found = _percent(comparison.gap(line, column, PAPER.name))
    difference = _signed(comparison.difference(line, column, PAPER.name), column)
    return [line.label, said, *scores, gap_said, gap_found, difference, letters.of(line.group) or NONE_YET]


def _score(line: Line, column: Column, protocol: str) -> str:
    """Mean ± standard deviation over seeds."""
    values = line.group.values(column, protocol) if line.group is not None else []
    if not values:
        return NONE_YET
    mean, deviation = spread(values)
    digits = digits_of(column)
    return f"{mean:.{digits}f}" + (f" ± {deviation:.{digits}f}" if deviation is not None else "")


def _percent(gap: float | None) -> str:
    return NONE_YET if gap is None else f"{100 * gap:.0f} %"


def _signed(difference: Difference | None, column: Column) -> str:
    if difference is None:
        return NONE_YET
    mean, low, high = (f"{value:+.{digits_of(column)}f}" for value in difference)
    return f"{mean} ({low} to {high})"


def digits_of(column: Column) -> int:
    """Digits behind the point, as the paper has them."""
    return 2 if SCORES[column.metric].kind == "count" else 3


def _sizes(part: Part) -> Sheet:
    """Parameters and multiply-adds of Table VI's students, published and counted."""
    rows = []
    for label, name in part.rows.items():
        width, _, _ = label.removeprefix("S").partition(",")
        said = [
            published(SIZED, metric, width_of_teacher=width, method="none") for metric in ("params_M", "flops_GMAC")
        ]
        params, macs = size(RECIPES[name])
        rows.append([label, said[0].digits, f"{params / 1e6:.3f}", said[1].digits, f"{macs / 1e9:.2f}"])
    header = ("row", "params M, published", "counted", "GMACs, published", "counted, convolutions only")
    return Sheet(f"{part.title}: sizes at 3 × 544 × 544", header, rows)
