"""The page in a browser, where there is one: as wide as the window, on a desk and on a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from segraft.reporting.run_report import write_run_report
from shared.pages import LONG, a_page
from shared.run_folders import make_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=4000")
WIDTHS = (1280, 390)
MEASURE = """<script>addEventListener("load", () => {
  const root = document.documentElement;
  const room = root.clientWidth, scrolls = root.scrollWidth;
  const outside = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll > *, svg, dialog")
    && e.getBoundingClientRect().right > room + 1).map(e => e.outerHTML.slice(0, 80));
  document.querySelector(".zoom").click();
  const dialog = document.querySelector("dialog");
  parent.postMessage({width: innerWidth, room, scrolls, outside,
    enlarged: dialog.open && dialog.children.length, grew: dialog.firstChild.getBoundingClientRect().width}, "*");
})</script>"""
"""Added to a page: what of it is wider than the window, and what a click on the first picture does."""


def measured(folder: Path, *pages: Path) -> list[dict[str, Any]]:
    """What a browser says of pages, each in frames as wide as a window on a desk and as a phone."""
    assert CHROMIUM is not None
    frames = ""
    for number, page in enumerate(pages):
        text = page.read_text(encoding="utf-8").replace("</body>", f"{MEASURE}</body>")
        (folder / f"{number}.html").write_text(text, encoding="utf-8")
        frames += "".join(f'<iframe src="{number}.html" style="width: {width}px"></iframe>' for width in WIDTHS)
    listen = 'addEventListener("message", e => { document.body.append(`«${JSON.stringify(e.data)}»`) })'
    outer = folder / "frames.html"
    style = "<style>iframe { border: 0; height: 800px }</style>"
    outer.write_text(f'<meta charset="utf-8">{style}<body><script>{listen}</script>{frames}</body>', encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(unescape(answer)) for answer in re.findall(r"«(\{.*?\})»", done.stdout)]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_nothing_is_wider_than_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / LONG, dataset="folder", root=str(tmp_path / LONG))
    comparison = a_page(tmp_path, student=LONG, title=LONG, findings=[LONG], notes=[LONG])
    found = measured(tmp_path, comparison, write_run_report(run))
    assert sorted(answer["width"] for answer in found) == sorted(2 * WIDTHS)
    for answer in found:
        assert answer["outside"] == []
        assert answer["scrolls"] == answer["room"]
        assert answer["enlarged"] == 1, "a click enlarges the picture"
        assert 0.9 * answer["width"] < answer["grew"] <= answer["width"]
