"""The page in a browser, where there is one: as wide as the window, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

from segraft.reporting.run_report import write_run_report
from shared.browser import answers, needs_browser
from shared.pages import LONG, a_page
from shared.run_folders import make_run

MEASURE = """
  const root = document.documentElement;
  const room = root.clientWidth, scrolls = root.scrollWidth;
  const outside = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll > *, svg, dialog")
    && e.getBoundingClientRect().right > room + 1).map(e => e.outerHTML.slice(0, 80));
  document.querySelector(".zoom").click();
  const dialog = document.querySelector("dialog");
  return {room, scrolls, outside,
    enlarged: dialog.open && dialog.children.length, grew: dialog.firstChild.getBoundingClientRect().width};
"""
"""What of a page is wider than the window, and what a click on the first picture does."""


@needs_browser
def test_nothing_is_wider_than_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / LONG, dataset="folder", root=str(tmp_path / LONG))
    comparison = a_page(tmp_path, student=LONG, title=LONG, findings=[LONG], notes=[LONG])
    for answer in answers(tmp_path, MEASURE, comparison, write_run_report(run)):
        assert answer["outside"] == []
        assert answer["scrolls"] == answer["room"]
        assert answer["enlarged"] == 1, "a click enlarges the picture"
        assert 0.9 * answer["width"] < answer["grew"] <= answer["width"]
