"""Curves from the lines of a run's metrics."""

from __future__ import annotations

import io
import math

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from segraft.reporting.curves import draw, score_curves, smooth, term_curves

TEACHER = [
    {"step": 1, "seconds": 0.5, "affinity": 0.5, "foreground": 0.7},
    {"step": 10, "seconds": 2.0, "affinity": 0.25, "foreground": math.nan},
    {"step": 10, "seconds": 3.0, "val": {"aji": 0.5, "pq": 0.25, "tp": 3}},
]
STUDENT = [{"step": 10, "seconds": 1.0, "affinity": 0.5, "intra_edge": 0.0}]


def test_terms_by_name_and_run() -> None:
    assert term_curves({"teacher": TEACHER, "student": STUDENT}) == {
        "affinity": {"teacher": ([1, 10], [0.5, 0.25]), "student": ([10], [0.5])},
        "foreground": {"teacher": ([1], [0.7])},  # what is not finite cannot be drawn
        "intra_edge": {"student": ([10], [0.0])},
    }


def test_scores_by_name_and_run() -> None:
    curves = score_curves({"teacher": TEACHER, "student": STUDENT}, ("aji", "pq"))
    assert curves == {"aji": {"teacher": ([10], [0.5])}, "pq": {"teacher": ([10], [0.25])}}


@pytest.mark.parametrize("falling", [True, False])
def test_a_figure_is_a_png_and_leaves_matplotlib_alone(falling: bool) -> None:
    before = dict(matplotlib.rcParams)
    png = draw(term_curves({"teacher": TEACHER, "student": STUDENT}), ["teacher", "student"], falling)
    assert dict(matplotlib.rcParams) == before
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    assert pixels.shape[1] > 900
    blue = (np.abs(pixels.astype(int) - (0x00, 0x72, 0xB2)).sum(2) < 30).sum()
    assert blue > 30, "the first run's colour is there"


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
