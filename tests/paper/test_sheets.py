"""Markdown and CSV of a document."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from segraft.paper.sheets import VALUES, Document, Sheet

texts = st.text("ab|*\\ ", min_size=1, max_size=6)


@given(st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1))
def test_every_cell_of_markdown_stays_a_cell(rows: list[list[str]]) -> None:
    text = Document("title", [Sheet("|DiC| ↓", ["row", "a*b"], rows)], None, ["note | more"], []).markdown()
    lines = text.splitlines()
    assert lines[:6] == ["## title", "", "**\\|DiC\\| ↓**", "", "| row | a\\*b |", "| --- | --- |"]
    for row, line in zip(rows, lines[6:], strict=False):
        bare = line.replace("\\\\", "").replace("\\|", "")
        assert bare.count("|") == 3
        assert line.startswith("| ")
        unescaped = line[2:-2].replace("\\|", "|").replace("\\*", "*").replace("\\\\", "\\")
        assert unescaped == " | ".join(row)


def test_values_are_read_again() -> None:
    values = [{"table": 2, "row": 'a, "b"', "measured": 0.1 + 0.2, "gap_published": None}]
    (read,) = csv.DictReader(io.StringIO(Document("", [], None, [], values).csv()))
    assert list(read) == list(VALUES)
    assert (read["row"], float(read["measured"]), read["gap_published"]) == ('a, "b"', 0.1 + 0.2, "")
