"""Figures inside a page: its ink, its fonts, nothing of their own that reaches beyond them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib

from segraft.reporting.figures import GRID, INK, MARKERS, key, look, marker_path, panel, svg


def drawn(label: str = "a & b") -> str:
    figure, axes = panel("title <1>", (3.0, 2.0))
    axes.plot([1, 2], [3, 4], **look(0))
    axes.plot([1, 2], [4, 3], **look(1))
    return svg(figure, label)


def test_a_figure_takes_the_ink_of_the_page_and_has_no_background() -> None:
    text = drawn()
    assert INK not in text
    assert GRID not in text
    for colour in ("currentColor", "var(--line)", "var(--blue)", look(1)["color"]):
        assert colour in text
    assert not re.search("fill: (#fff|white)", text)


def test_a_figure_is_one_element_that_fetches_nothing_and_styles_nothing_else() -> None:
    text = drawn()
    root = ElementTree.fromstring(text.replace("xlink:", ""))
    assert root.attrib["aria-label"] == "a & b"
    assert "width" not in root.attrib
    assert "title <1>" in [element.text for element in root.iter("text")], "text stays text"
    assert "http" not in text
    assert "<style" not in text


def test_the_same_figure_is_the_same_text_and_matplotlib_is_left_alone() -> None:
    before = dict(matplotlib.rcParams)
    assert drawn() == drawn()
    assert dict(matplotlib.rcParams) == before


def test_models_have_keys_of_their_own() -> None:
    assert len({key(number) for number in range(6)}) == 6
    assert 'aria-hidden="true"' in key(0)


def test_shapes_reach_to_each_side() -> None:
    assert marker_path(1, 6.0) == "M-6 6L6 6L6 -6L-6 -6Z"
    assert len({marker_path(number, 6.0) for number in range(len(MARKERS))}) == len(MARKERS)
    assert marker_path(2, 6.0).startswith("M0 -6L"), "a triangle that points up"
