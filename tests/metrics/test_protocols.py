"""Protocols of scoring, against loops written from what they say, and against each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from segraft.metrics.protocols import OURS, PAPER, Protocol, beside
from segraft.metrics.scoring import evaluate

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=7)
PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int32, shape, elements=st.integers(0, 5)),
        hnp.arrays(np.int32, shape, elements=st.integers(-1, 5)),
    )
)
SIZED = Protocol("paper", taken_once=True, minimum_true_size=4)


def pixels(labels, known):
    """Pixel sets of the objects by ascending id."""
    flat = np.where(known, labels, 0).ravel()
    return {i: set(np.flatnonzero(flat == i).tolist()) for i in sorted(set(flat[flat > 0].tolist()))}


def aji_taken_once(predicted, truth):
    """Every true object in turn takes the best of the predictions that are left."""
    left, intersection, union = pixels(predicted, truth >= 0), 0, 0
    true = pixels(truth, truth >= 0)
    if not left or not true:
        return Fraction(not left and not true)
    for mine in true.values():
        iou = {i: Fraction(len(mine & other), len(mine | other)) for i, other in left.items()}
        best = max(iou, key=lambda i: (iou[i], -i), default=None)
        if best is None or not iou[best]:
            union += len(mine)
            continue
        other = left.pop(best)
        intersection += len(mine & other)
        union += len(mine | other)
    return Fraction(intersection, union + sum(map(len, left.values())))


def without_small(truth, minimum):
    """The truth with small objects made background."""
    return np.where(np.isin(truth, [i for i in range(1, 6) if (truth == i).sum() < minimum]), 0, truth)


@given(PAIRS)
def test_aji_equals_loops_over_objects(pair):
    assert evaluate(*pair, PAPER)["aji"] == pytest.approx(float(aji_taken_once(*pair)), abs=1e-12)


@given(PAIRS, st.integers(0, 7), st.integers(0, 7))
def test_aji_equals_loops_for_shifted_cells(pair, down, right):
    """Large overlaps, which independent random labels hardly have."""
    truth = np.kron(pair[1], np.ones((8,) * pair[1].ndim, np.int32))
    predicted = np.roll(np.maximum(truth, 0), (down, right), (0, 1))
    assert evaluate(predicted, truth, PAPER)["aji"] == pytest.approx(float(aji_taken_once(predicted, truth)), abs=1e-12)


@given(PAIRS)
def test_nothing_but_aji_differs_where_no_object_is_left_out(pair):
    ours, paper = evaluate(*pair), evaluate(*pair, PAPER)
    del ours["aji"], paper["aji"]
    assert ours == paper


@given(PAIRS)
def test_no_one_to_one_matching_overlaps_more(pair):
    """Taken once, AJI is I / (T + P − I), where I is at most that of the best assignment, and of the foregrounds."""
    predicted, truth = pair
    assume((predicted[truth >= 0] > 0).any() and (truth > 0).any())
    overlaps = np.array([[((predicted == i) & (truth == j)).sum() for i in range(1, 6)] for j in range(1, 6)])
    areas = int((predicted[truth >= 0] > 0).sum() + (truth > 0).sum())
    best = int(overlaps[linear_sum_assignment(-overlaps)].sum())
    aji = evaluate(*pair, PAPER)["aji"]
    assert aji <= best / (areas - best) + 1e-12
    dice = evaluate(*pair)["dice"]
    assert aji <= dice / (2 - dice) + 1e-12


@given(PAIRS)
def test_protocols_agree_where_predictions_overlap_one_true_object_each(pair):
    cells, truth = pair
    predicted = np.where(truth > 0, truth + 5 * cells, 0)  # fragments of true objects
    assert evaluate(predicted, truth, PAPER) == pytest.approx(evaluate(predicted, truth))


@given(PAIRS)
def test_the_truth_itself_scores_1(pair):
    scores = evaluate(pair[1], pair[1], PAPER)
    assert {scores[name] for name in ("sbd", "aji", "dice", "f1", "pq")} == {1}


@given(PAIRS)
def test_small_true_objects_are_background(pair):
    predicted, truth = pair
    assert evaluate(predicted, truth, SIZED) == evaluate(predicted, without_small(truth, 4), PAPER)


@given(PAIRS)
def test_unknown_pixels_stay_unknown(pair):
    predicted, truth = pair
    assert evaluate(np.where(truth < 0, 3, predicted), truth, SIZED) == evaluate(predicted, truth, SIZED)


def test_a_merger_is_taken_by_the_first_alone():
    """Two true objects of 2 px in one prediction: ours (2 + 2) / (4 + 4), the paper's 2 / (4 + 2)."""
    predicted, truth = np.array([[6, 6, 6, 6]]), np.array([[1, 1, 2, 2]])
    assert evaluate(predicted, truth)["aji"] == pytest.approx(1 / 2)
    assert evaluate(predicted, truth, PAPER)["aji"] == pytest.approx(1 / 3)


def test_the_score_may_be_higher():
    """A true crumb of 1 px inside a found cell of 7 px: ours (6 + 1) / (7 + 7), the paper's 6 / (7 + 1)."""
    predicted, truth = np.array([[3] * 7]), np.array([[1] * 6 + [2]])
    assert evaluate(predicted, truth)["aji"] == pytest.approx(7 / 14)
    assert evaluate(predicted, truth, PAPER)["aji"] == pytest.approx(6 / 8)


def test_true_objects_choose_in_the_order_of_their_ids():
    """The crumb comes first and leaves nothing to the cell: 1 / (7 + 6)."""
    predicted, truth = np.array([[3] * 7]), np.array([[2] * 6 + [1]])
    assert evaluate(predicted, truth, PAPER)["aji"] == pytest.approx(1 / 13)


def test_what_is_taken_leaves_the_second_best():
    """The second true object gets 1 px of its own when the first has the larger prediction: (3 + 1) / (4 + 2)."""
    predicted, truth = np.array([[5, 5, 5, 5, 8]]), np.array([[1, 1, 1, 2, 2]])
    assert evaluate(predicted, truth, PAPER)["aji"] == pytest.approx(4 / 6)


def test_a_small_true_object_left_out_makes_its_prediction_wrong():
    predicted = truth = np.array([[1, 1, 1, 1, 0, 2, 2, 2]])
    assert evaluate(predicted, truth, SIZED)["pq"] == pytest.approx(2 / 3)
    assert evaluate(predicted, truth, SIZED)["aji"] == pytest.approx(4 / 7)
    assert evaluate(np.where(predicted == 2, 0, predicted), truth, SIZED)["pq"] == 1
    assert evaluate(predicted, truth, Protocol("paper", taken_once=True, minimum_true_size=3))["pq"] == 1


@pytest.mark.parametrize(("predicted", "truth", "expected"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_empty_images(predicted, truth, expected):
    space = np.ones((3, 3), int)
    assert evaluate(space * predicted, space * truth, PAPER)["aji"] == expected
    assert evaluate(space * predicted, space * truth, Protocol("paper", True, 10))["aji"] == 1 - predicted


def test_protocols_say_what_they_are():
    assert str(OURS) == "Protocol ours"
    assert str(PAPER) == "Protocol paper: AJI takes each prediction once"
    assert str(SIZED).endswith("AJI takes each prediction once, true objects under 4 pixels are left out")


def test_what_differs_stands_beside():
    scores = [{run: evaluate(*pair, each) for run, pair in PREDICTED.items()} for each in (OURS, PAPER)]
    found = beside(*scores)
    assert [set(found[run]) - set(scores[0][run]) for run in PREDICTED] == [{"aji, protocol paper"}] * 2
    for run in PREDICTED:
        assert found[run]["aji, protocol paper"] == scores[1][run]["aji"]
        assert {name: found[run][name] for name in scores[0][run]} == scores[0][run]
    assert beside(scores[0], scores[0]) == scores[0]


PREDICTED = {
    "right": (np.array([[1, 1, 2, 2]]), np.array([[1, 1, 2, 2]])),
    "merged": (np.array([[1, 1, 1, 1]]), np.array([[1, 1, 2, 2]])),
}
