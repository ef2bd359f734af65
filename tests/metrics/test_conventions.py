"""Pairs that packages score differently, as docs/metrics.md tells: our side of its table."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import evaluate, summarise

LINE = np.zeros((4, 12), int)
LINE[0, :4] = 1
EMPTY = np.zeros_like(LINE)


@pytest.mark.parametrize(("columns", "pq"), [(slice(0, 2), 0.0), (slice(0, 3), 0.75), (slice(0, 8), 0.0)])
def test_an_iou_of_exactly_a_half_is_no_match(columns, pq):
    predicted = np.zeros_like(LINE)
    predicted[0, columns] = 1
    scores = evaluate(predicted, LINE)
    assert (scores["pq"], scores["f1"]) == (pq, float(pq > 0))
    assert scores["tp"] + scores["fp"] == scores["tp"] + scores["fn"] == 1


def test_two_halves_of_an_object_are_no_match_either():
    halves = np.where(np.arange(12) < 2, LINE, 2 * LINE)
    scores = evaluate(halves, LINE)
    assert (scores["tp"], scores["fp"], scores["fn"], scores["f1"]) == (0, 2, 1, 0.0)


def test_a_pair_of_empty_images_is_right_in_every_score():
    scores = evaluate(EMPTY, EMPTY)
    for name in SCORES:
        if name not in ("n_predicted", "n_true"):
            assert scores[name] == (name in ("aji", "pq", "f1", "dq", "sq", "sbd", "dice")), name
    means = summarise([scores, evaluate(LINE, LINE)])
    assert means["f1"] == means["pq"] == means["f1_pooled"] == means["pq_pooled"] == 1.0


def test_background_is_no_class_of_its_own():
    """Its IoU, 91 of 93 pixels, would draw PQ up to 0.88."""
    truth, predicted = np.zeros((10, 10), int), np.zeros((10, 10), int)
    truth[2:5, 2:5], predicted[2:5, 2:4], predicted[2, 4] = 1, 1, 1
    assert evaluate(predicted, truth)["pq"] == 7 / 9
    background = evaluate(np.where(predicted, 0, 1), np.where(truth, 0, 1))["pq"]
    assert background == 91 / 93
    assert round((7 / 9 + background) / 2, 2) == 0.88
