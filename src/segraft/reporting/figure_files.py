"""A figure as a file: a picture, a drawing, or a page of its own with its caption."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from segraft.errors import UserError, choose
from segraft.files import replacing, unwritable, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 130
KINDS = {".png": "a picture", ".svg": "a drawing", ".html": "a page with its caption"}
"""Endings of the files."""


def check_file(path: Path) -> None:
    """Raise ``UserError`` for a folder, and for an ending that is none of ``KINDS``, before anything is computed."""
    if path.is_dir():
        raise UserError(f"out: got the folder {path}, expected a file; give {path / 'figure.png'} for example")
    choose("ending of a figure's file", path.suffix.lower(), KINDS)


def write_figure(figure: Figure, path: Path, title: str, caption: Sequence[str]) -> None:
    """Write a figure as its file's ending says, completely or not at all; only a page holds title and caption.

    Raises ``UserError`` as ``check_file``, and for a full disk or a read-only folder.
    """
    check_file(path)
    kind = path.suffix.lower()
    if kind == ".html":
        write_text(path, _page(title, caption, _png(figure)))
        return
    content = _png(figure) if kind == ".png" else _svg(figure)
    with unwritable(path), replacing(path) as temporary:
        temporary.write_bytes(content)


def _png(figure: Figure) -> bytes:
    """In 256 colours, which makes it a quarter as large; rare ones, those of a legend, are among them."""
    drawn, file = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, dpi=DPI)
    colours = Image.open(drawn).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    colours.save(file, "png", optimize=True)
    return file.getvalue()


def _svg(figure: Figure) -> bytes:
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "segraft"}):  # no random names: the same figure is the same file
        figure.savefig(file, format="svg", dpi=DPI, metadata={"Date": None})
    return file.getvalue()


def _page(title: str, caption: Sequence[str], picture: bytes) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    uri = "data:image/png;base64," + base64.b64encode(picture).decode()
    return environment.get_template("figure.html.j2").render(title=title, caption=caption, picture=uri)
