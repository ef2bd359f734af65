"""The usual score rewards nobody for blank images, and sees the background of sparse volumes."""

from __future__ import annotations

import numpy as np

from segraft.metrics.scores import choosing, finds_nothing
from segraft.metrics.scoring import evaluate, summarise
from segraft.metrics.usual import usual_score


def cells(count: int) -> np.ndarray:
    """An image of 64 × 64 pixels with that many cells of 8 × 8."""
    labels = np.zeros((64, 64), int)
    for cell in range(count):
        y, x = divmod(cell, 6)
        labels[10 * y : 10 * y + 8, 10 * x : 10 * x + 8] = cell + 1
    return labels


def with_speck(labels: np.ndarray) -> np.ndarray:
    labels = labels.copy()
    labels[50:53, 50:53] = 99
    return labels


BLANK = cells(0)
TRUTHS = [cells(12)] * 2 + [BLANK] * 8


def test_blank_images_do_not_reward_finding_nothing() -> None:
    """Eight of ten are blank: none of 24 cells found against all of them with a speck in three blank images."""
    nothing = summarise([evaluate(BLANK, truth) for truth in TRUTHS])
    exact = [truth if number < 7 else with_speck(truth) for number, truth in enumerate(TRUTHS)]
    specks = summarise([evaluate(found, truth) for found, truth in zip(exact, TRUTHS, strict=True)])
    clean = summarise([evaluate(truth, truth) for truth in TRUTHS])
    assert (nothing["aji"], nothing["pq"], specks["aji"]) == (0.8, 0.8, 0.7), "means over images"
    score = usual_score(TRUTHS, 2)
    rank = choosing(score).rank
    assert rank(nothing[score]) == 0
    assert 0.9 < rank(specks[score]) < rank(clean[score]) == 1, "false objects in blank images cost something"
    assert finds_nothing(nothing)
    assert not finds_nothing(specks)
    assert not finds_nothing(summarise([evaluate(BLANK, BLANK)])), "there is nothing to find"


def test_false_pieces_in_the_background_of_a_sparse_volume() -> None:
    truth = np.zeros((16, 40, 40), int)
    truth[4:10, 4:12, 4:12], truth[4:10, 24:34, 24:34] = 1, 2
    pieces = truth.copy()
    false = np.indices(truth.shape).sum(0) % 3 == 0
    pieces[false & (truth == 0)] = np.arange(np.count_nonzero(false & (truth == 0))) + 10
    noisy, clean = summarise([evaluate(pieces, truth)]), summarise([evaluate(truth, truth)])
    assert noisy["voi"] == clean["voi"] == 0
    score = usual_score([truth], 3)
    assert choosing(score).rank(noisy[score]) < 0.01 < choosing(score).rank(clean[score])


def test_the_share_of_background_decides_in_volumes() -> None:
    dense = np.ones((4, 10, 10), int)
    dense[:, :2] = 0
    assert usual_score([dense], 3) == "voi", "a fifth is gaps"
    dense[:, :3] = 0
    assert usual_score([dense], 3) == "pq_pooled"
    assert usual_score([dense], 3, unknown_background=True) == "voi"
    dense[:, :3] = -1
    assert usual_score([dense], 3) == "voi", "what is unknown is no background"
    assert usual_score([dense[0]], 2) == "pq_pooled"
    assert usual_score([], 3) == "pq_pooled"
