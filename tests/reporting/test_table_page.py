"""The page of a table: whole, without network, and no wider than a phone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from segraft.paper.comparison import Comparison
from segraft.paper.documents import document
from segraft.paper.gathering import gather
from segraft.paper.results import Spent
from segraft.paper.selection import Selection
from segraft.paper.sheets import Document, Sheet
from segraft.reporting.table_page import table_page
from shared.browser import answers, needs_browser
from shared.results import fake

MEASURE = """
  const root = document.documentElement, room = root.clientWidth;
  const outside = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll > *")
    && e.getBoundingClientRect().right > room + 1).map(e => e.outerHTML.slice(0, 80));
  const numbers = [...document.querySelectorAll("td.number")];
  const lines = e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects().length; };
  const broken = numbers.filter(e => lines(e) !== 1 || e.scrollWidth > e.clientWidth + 1).map(e => e.textContent);
  const colour = getComputedStyle(document.body).backgroundColor;
  return {outside, broken, colour, scrolls: root.scrollWidth, room, cells: numbers.length};
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """Table II, BBBC039, some of which is measured."""
    runs, spent = tmp_path / "runs", Spent(training="package", steps=2000, patch=(256, 256), batch=4, rate=0.003)
    for name, start in (("resunet", 0.8), ("resunet-tiny-none", 0.4), ("resunet-tiny-graph", 0.6)):
        for seed in (1, 2):
            fake(runs, f"table2-bbbc039-{name}", start, seed=seed, spent=spent, images=4)
    made = document(2, Selection(["bbbc039"]).parts(2), Comparison(gather(runs).runs))
    path = tmp_path / "table.html"
    path.write_text(table_page(made), encoding="utf-8")
    return path


def test_the_page_is_whole_and_needs_no_network(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "0.720 ± 0.000" in text
    assert "BBBC039V1: not measured are 21 of 24 rows" in text
    assert not re.search(r"(src|href)=|https?://|@import|url\(", text)


def test_text_is_never_markup() -> None:
    text = table_page(Document("a < b", [Sheet("<i>", ("row",), [("<script>",)])], None, ["<b>"], []))
    assert "<script>" not in text
    assert "<i>" not in text
    assert "a &lt; b" in text


@needs_browser
@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 24, 28)")])
def test_on_a_desk_and_on_a_phone(page: Path, tmp_path: Path, scheme: str, colour: str) -> None:
    for answer in answers(tmp_path, MEASURE, page, scheme=scheme):
        assert answer["outside"] == []
        assert answer["broken"] == []
        assert answer["scrolls"] == answer["room"]
        assert answer["colour"] == colour
        assert answer["cells"] == 24 * 4 * 7
