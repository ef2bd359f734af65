"""Curves from the lines of a run's metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.reporting.curves import MOST, draw, score_curves, smooth, term_curves, thinned
from segraft.reporting.figures import COLOURS

TEACHER = [
    {"step": 1, "seconds": 0.5, "affinity": 0.5, "foreground": 0.7},
    {"step": 10, "seconds": 2.0, "affinity": 0.25, "foreground": math.nan},
    {"step": 10, "seconds": 3.0, "val": {"aji": 0.5, "pq": 0.25, "tp": 3}},
]
STUDENT = [{"step": 10, "seconds": 1.0, "affinity": 0.5, "intra_edge": 0.0}]


def test_terms_by_name_and_model() -> None:
    assert term_curves({"teacher": [TEACHER], "student": [STUDENT, STUDENT]}) == {
        "affinity": {"teacher": [([1, 10], [0.5, 0.25])], "student": [([10], [0.5]), ([10], [0.5])]},
        "foreground": {"teacher": [([1], [0.7])]},  # what is not finite cannot be drawn
        "intra_edge": {"student": [([10], [0.0]), ([10], [0.0])]},
    }


def test_scores_by_name_and_model() -> None:
    curves = score_curves({"teacher": [TEACHER], "student": [STUDENT]}, ("aji", "pq"))
    assert curves == {"aji": {"teacher": [([10], [0.5])]}, "pq": {"teacher": [([10], [0.25])]}}


@pytest.mark.parametrize("falling", [True, False])
def test_one_figure_per_name(falling: bool) -> None:
    curves = term_curves({"teacher": [TEACHER], "student": [STUDENT, STUDENT]})
    figures = draw(curves, ["teacher", "student"], falling)
    assert len(figures) == 3
    for name, text in zip(curves, figures, strict=True):
        assert f">{name}</text>" in text
        assert ("var(--blue)" in text) == ("teacher" in curves[name])
        assert (COLOURS[1] in text) == ("student" in curves[name])


@pytest.mark.parametrize("length", [1, 2, MOST, MOST + 1, 100_001])
def test_long_curves_are_thinned_between_their_ends(length: int) -> None:
    steps, values = thinned(range(length), [0.5 * step for step in range(length)])
    assert values == [0.5 * step for step in steps]
    assert len(steps) <= MOST + 1
    assert len(steps) == length or length > MOST
    assert (steps[0], steps[-1]) == (0, length - 1)
    assert steps == sorted(set(steps))


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60))
def test_smoothing_stays_between_the_extremes(values: list[float]) -> None:
    smoothed = smooth(values)
    assert len(smoothed) == len(values)
    assert min(values) - 1e-9 <= min(smoothed) <= max(smoothed) <= max(values) + 1e-9
    assert smoothed[0] == pytest.approx(values[0])
    assert smoothed[-1] == pytest.approx(values[-1])


def test_smoothing_keeps_a_straight_line_and_calms_noise() -> None:
    line = [0.5 * k for k in range(50)]
    assert smooth(line) == pytest.approx(line)
    noise = np.random.default_rng(0).normal(size=200).tolist()
    assert np.std(smooth(noise)) < 0.5 * np.std(noise)
