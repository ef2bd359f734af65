"""Puts the page that segments images in the browser into the site, where SEGRAFT_TRY_IT is set.

Building it needs npm and a connection, or the runtime in the cache; hence not in every build.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import segraft

PLACE, FOLDER = "<!-- try it -->", "try"
"""Where pages have a link to it, and where in the site it lies."""
LINK = f'<a href="{FOLDER}/index.html"><b>Try it</b></a> in this browser: images stay on your computer.'


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the link where a page has a place for it, or nothing."""
    return markdown.replace(PLACE, LINK if wanted() else "")


def on_post_build(config: Any, **_: Any) -> None:
    """Write the page into the site."""
    if wanted():
        segraft.web(Path(config["site_dir"]) / FOLDER)


def wanted() -> bool:
    """Whether this build has the page."""
    return bool(os.environ.get("SEGRAFT_TRY_IT"))
