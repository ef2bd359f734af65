"""Figures as files: colours that are right, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segraft.errors import UserError
from segraft.reporting.colours import rgb
from segraft.reporting.figure_files import write_figure
from segraft.reporting.panels import LONGEST, Panel, Row, draw_panels, shortened

LEGEND = {"split": "#e69f00", "merged": "#0072b2"}


def shaded() -> np.ndarray:
    """A picture of many greens and purples, as lit surfaces have, without the legend's colours."""
    light = np.random.default_rng(0).uniform(0.3, 1, (300, 300, 1))
    colours = np.where(np.arange(300)[None, :, None] < 150, (124, 179, 66), (171, 71, 188))
    return (light * colours).astype(np.uint8)


def test_a_legend_keeps_its_colours_beside_many_shades(tmp_path: Path) -> None:
    figure = draw_panels([Row("a", [Panel(shaded(), "words")] * 2)], ["one", "two"], LEGEND)
    write_figure(figure, tmp_path / "f.png", "", ())
    pixels = np.asarray(Image.open(tmp_path / "f.png").convert("RGB")).astype(int)
    for colour in LEGEND.values():
        near = np.abs(pixels - rgb(colour)).max(-1) < 24
        assert near.sum() > 100, colour


def test_the_same_figure_is_the_same_drawing(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        write_figure(draw_panels([Row("a", [Panel(shaded())])], ["one"], LEGEND), tmp_path / name, "", ())
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_page_escapes_its_words(tmp_path: Path) -> None:
    figure = draw_panels([Row("a", [Panel(shaded())])], ["one"], {})
    write_figure(figure, tmp_path / "f.html", "1 < 2", ["<b>", "last"])
    text = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert "1 &lt; 2" in text
    assert "<p>&lt;b&gt;</p>" in text


def test_a_full_or_forbidden_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    figure = draw_panels([Row("a", [Panel(shaded())])], ["one"], {})
    with pytest.raises(UserError, match="cannot be written"):
        write_figure(figure, tmp_path / "file" / "f.png", "", ())


def test_long_names_keep_both_ends() -> None:
    assert shortened("short") == "short"
    name = "a" * 40 + "z" * 40
    assert len(shortened(name)) == LONGEST + 1
    assert shortened(name).startswith("aaa")
    assert shortened(name).endswith("zzz")
