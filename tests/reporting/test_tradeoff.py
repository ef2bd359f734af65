"""Score against cost: a point per model, with its spread over seeds."""

from __future__ import annotations

import re

import pytest

from segraft.reporting.figures import COLOURS
from segraft.reporting.tradeoff import Point, draw_tradeoff

ONE = {"teacher": Point([0.9], [4.0], [33_600_000]), "student": Point([0.8], [0.25], [300_000])}


def heights(text: str) -> list[float]:
    """Heights of the points of models, by their number: ``use`` elements in their colour."""
    ink = ["var(--blue)", *COLOURS[1:]]
    found = re.findall(r'<use [^>]*?y="([\d.]+)"[^>]*?style="fill: ([^;"]+)', text)
    return [next(float(y) for y, colour in found if colour == each) for each in ink[:2]]


def words(text: str) -> str:
    return " ".join(re.findall(r"<text[^>]*>([^<]*)<", text))


def test_score_against_time_and_against_parameters() -> None:
    time, parameters = draw_tradeoff(ONE, "aji")
    assert "AJI ↑" in words(time)
    assert "milliseconds" in words(time)
    assert "1,000" in words(time)
    assert "10 M" in words(parameters)
    teacher, student = heights(time)
    assert teacher < student, "better is above"


def test_where_lower_is_better_it_is_above() -> None:
    teacher, student = heights(draw_tradeoff(ONE, "voi")[0])
    assert teacher > student


def test_bars_are_the_spread_over_seeds() -> None:
    def bars(point: Point) -> tuple[int, ...]:
        """Elements drawn beyond those of the axes, in both figures."""
        texts = draw_tradeoff({"one": point}, "aji")
        return tuple(text.count("LineCollection") for text in texts)

    assert bars(Point([0.5], [0.1], [300])) == (0, 0)
    assert bars(Point([0.5, 0.6], [0.1, 0.2], [300, 300])) == (2, 1)
    assert bars(Point([0.5, 0.5], [0.1, 0.1], [300, 300])) == (0, 0)


@pytest.mark.parametrize("parameters", [1, 40, 299_184, 33_600_000, 10**10])
def test_a_lone_cost_has_marks_around_it(parameters: int) -> None:
    text = words(draw_tradeoff({"one": Point([0.5], [0.1], [parameters])}, "aji")[1])
    assert len(re.findall(r"[125]0*(?:\.\d+)? ?[kMG]?(?= )", text)) >= 1, text
