"""A table of the paper as text: sheets of cells, notes, and the same values tidily, one a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

VALUES = (
    *("table", "dataset", "row", "recipe", "method", "segmentation", "column", "metric", "better", "unit", "protocol"),
    *("published", "published_status", "published_spread", "measured", "spread", "seeds", "gap_published"),
    *("gap_measured", "minus_alone", "minus_alone_low", "minus_alone_high", "images", "comparable", "scale"),
    *("training", "steps", "patch", "batch", "rate", "teacher", "hardware", "seconds", "command", "differs"),
)
"""Columns of the tidy values."""


@dataclass(frozen=True)
class Sheet:
    """A header and rows of text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Document:
    """A table of the paper, published beside measured."""

    title: str
    sheets: Sequence[Sheet]
    made: Sheet | None
    """How what is measured was made; None where nothing is."""
    notes: Sequence[str]
    values: Sequence[Mapping[str, Any]]
    """A dictionary per value, by the names of ``VALUES``, some of which it may lack."""

    def markdown(self) -> str:
        """The whole of it as Markdown."""
        made = [_markdown(self.made)] if self.made is not None else []
        notes = "".join(f"- {_escaped(note)}\n" for note in self.notes)
        return "\n".join([f"## {self.title}\n", *map(_markdown, self.sheets), *made, notes])

    def csv(self) -> str:
        """The values, one a line."""
        text = io.StringIO()
        writer = csv.DictWriter(text, VALUES, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.values)
        return text.getvalue()


def _markdown(sheet: Sheet) -> str:
    lines = (sheet.header, ["---"] * len(sheet.header), *sheet.rows)
    text = "".join("| " + " | ".join(map(_escaped, line)) + " |\n" for line in lines)
    return f"**{_escaped(sheet.title)}**\n\n{text}"


def _escaped(text: str) -> str:
    """Text in which nothing is an end of a cell or markup."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*").replace("\n", " ")
