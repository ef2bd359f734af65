"""Pages in a headless browser, where there is one: on a desk and on a phone, what a script says of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=4000")
SCHEMES = {"dark": "--blink-settings=preferredColorScheme=0", "light": "--blink-settings=preferredColorScheme=1"}
WIDTHS = (1280, 390)
"""Pixels: of a window on a desk, and of a phone."""
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")


def answers(folder: Path, script: str, *pages: Path, scheme: str = "light") -> list[dict[str, Any]]:
    """What a script says of pages, each in frames of the ``WIDTHS``.

    Parameters
    ----------
    folder : for the browser's files
    script : body of an asynchronous function that returns an object; ``fail`` in it is the first error of the page
    scheme : that the reader prefers, light or dark
    """
    assert CHROMIUM is not None
    frames = ""
    for number, page in enumerate(pages):
        text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{WATCH}")
        text = text.replace("</body>", f"<script>{ASK.replace('SCRIPT', script)}</script></body>")
        (folder / f"{number}.html").write_text(text, encoding="utf-8")
        frames += "".join(f'<iframe src="{number}.html" style="width: {width}px"></iframe>' for width in WIDTHS)
    listen = 'addEventListener("message", e => { document.body.append(`«${JSON.stringify(e.data)}»`) })'
    outer = folder / "frames.html"
    style = "<style>iframe { border: 0; height: 800px }</style>"
    outer.write_text(f'<meta charset="utf-8">{style}<body><script>{listen}</script>{frames}</body>', encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [CHROMIUM, *FLAGS, SCHEMES[scheme], profile, "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [json.loads(unescape(answer)) for answer in re.findall(r"«(\{.*?\})»", done.stdout)]
    assert [answer["fail"] for answer in found] == [None] * len(found)
    assert sorted(answer["width"] for answer in found) == sorted(len(pages) * WIDTHS)
    return found


WATCH = "<script>let fail = null; addEventListener('error', e => { fail ??= e.message })</script>"
ASK = """addEventListener("load", async () => {
  let answer = {};
  try { answer = await (async () => { SCRIPT })(); } catch (error) { fail ??= String(error); }
  parent.postMessage({...answer, width: innerWidth, fail}, "*");
})"""
