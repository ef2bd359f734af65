"""Scores that match objects, against loops written from their definitions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.labels.contingency import contingency
from segraft.metrics.matching import matching_scores, object_counts, quality

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=7)
PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int32, shape, elements=st.integers(0, 5)),
        hnp.arrays(np.int32, shape, elements=st.integers(-1, 5)),
    )
)


def scores_of(predicted, truth):
    return matching_scores(contingency(np.asarray(predicted), np.asarray(truth)))


def objects(labels, known):
    """Pixel sets of the objects by ascending id."""
    flat = np.where(known, labels, 0).ravel()
    return [set(np.flatnonzero(flat == i).tolist()) for i in sorted(set(flat[flat > 0].tolist()))]


def best_dice(ones, others):
    return sum(max((Fraction(2 * len(a & b), len(a) + len(b)) for b in others), default=0) for a in ones) / len(ones)


def jaccard(a, b):
    return Fraction(len(a & b), len(a | b))


def aggregated_jaccard(predicted, true):
    intersection, union, taken = 0, 0, set()
    for g in true:
        scores = [jaccard(g, s) for s in predicted]
        j = scores.index(max(scores))  # the first, so the lowest id
        if scores[j] == 0:
            union += len(g)
            continue
        intersection += len(g & predicted[j])
        union += len(g | predicted[j])
        taken.add(j)
    return Fraction(intersection, union + sum(len(s) for j, s in enumerate(predicted) if j not in taken))


def brute_force(predicted_labels, true_labels):
    predicted, true = (objects(labels, true_labels >= 0) for labels in (predicted_labels, true_labels))
    p, t = set().union(*predicted), set().union(*true)
    matches = [jaccard(s, g) for s in predicted for g in true if jaccard(s, g) > Fraction(1, 2)]
    tp, fp, fn = len(matches), len(predicted) - len(matches), len(true) - len(matches)
    scores = {"n_predicted": len(predicted), "n_true": len(true), "tp": tp, "fp": fp, "fn": fn}
    scores["dic"] = abs(len(predicted) - len(true))
    if not predicted or not true:
        return scores | dict.fromkeys(("sbd", "aji", "dice", "f1", "pq", "sq", "dq"), int(not predicted and not true))
    scores["sbd"] = min(best_dice(predicted, true), best_dice(true, predicted))
    scores["aji"] = aggregated_jaccard(predicted, true)
    scores["dice"] = Fraction(2 * len(p & t), len(p) + len(t))
    scores["f1"] = scores["dq"] = Fraction(2 * tp, 2 * tp + fp + fn)
    scores["sq"] = sum(matches) / len(matches) if matches else 0
    scores["pq"] = scores["dq"] * scores["sq"]
    return scores


@given(PAIRS)
def test_scores_equal_loops_over_objects(pair):
    found, expected = scores_of(*pair), brute_force(*pair)
    assert found.keys() == expected.keys()
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-12)


@given(PAIRS, st.integers(0, 7), st.integers(0, 7))
def test_scores_equal_loops_for_shifted_cells(pair, down, right):
    """Large overlaps, which independent random labels hardly have."""
    truth = np.kron(pair[1], np.ones((8,) * pair[1].ndim, np.int32))
    predicted = np.roll(np.maximum(truth, 0), (down, right), (0, 1))
    expected = {name: float(value) for name, value in brute_force(predicted, truth).items()}
    assert scores_of(predicted, truth) == pytest.approx(expected, abs=1e-12)


@given(PAIRS)
def test_the_truth_itself_scores_1(pair):
    truth = pair[1]
    scores = scores_of(truth, truth)
    assert {scores[name] for name in ("sbd", "aji", "dice", "f1", "pq", "sq", "dq")} == {1}
    assert scores["dic"] == scores["fp"] == scores["fn"] == 0


@given(PAIRS)
def test_scores_lie_between_0_and_1(pair):
    scores = scores_of(*pair)
    assert all(0 <= scores[name] <= 1 for name in ("sbd", "aji", "dice", "f1", "pq", "sq", "dq"))
    assert scores["tp"] + scores["fp"] == scores["n_predicted"]
    assert scores["tp"] + scores["fn"] == scores["n_true"]


@given(PAIRS, st.permutations(range(1, 6)), st.permutations(range(1, 6)))
def test_numbers_of_objects_do_not_matter(pair, first, second):
    """Except to AJI, where equally good predictions are told apart by their ids."""
    predicted, truth = pair
    renumbered = np.array([0, *first])[predicted], np.append(np.array([0, *second]), -1)[truth]
    before, after = scores_of(predicted, truth), scores_of(*renumbered)
    del before["aji"], after["aji"]
    assert after == pytest.approx(before, abs=1e-12)


@given(PAIRS)
def test_swapping_prediction_and_truth(pair):
    predicted, truth = pair[0], np.maximum(pair[1], 0)
    there, back = scores_of(predicted, truth), scores_of(truth, predicted)
    for name in ("sbd", "dic", "dice", "f1", "pq", "sq", "tp"):
        assert there[name] == pytest.approx(back[name], abs=1e-12)
    assert (there["fp"], there["fn"]) == (back["fn"], back["fp"])


@given(PAIRS, st.integers(0, 5))
def test_what_is_predicted_on_unknown_pixels_does_not_matter(pair, label):
    predicted, truth = pair
    assert scores_of(np.where(truth < 0, label, predicted), truth) == scores_of(predicted, truth)


def test_both_empty_is_right_and_one_empty_is_wrong():
    empty, full = np.zeros((3, 3), int), np.ones((3, 3), int)
    overlap = ("sbd", "aji", "dice", "f1", "pq", "sq", "dq")
    for predicted, truth, expected in (
        (empty, empty, 1),
        (empty, full, 0),
        (full, empty, 0),
        (full, -full, 1),
    ):
        scores = scores_of(predicted, truth)
        assert {scores[name] for name in overlap} == {expected}
    assert scores_of(empty, empty)["dic"] == 0
    assert scores_of(full, empty)["dic"] == 1


def test_half_an_overlap_is_no_match():
    assert scores_of([[1, 1, 0, 0]], [[1, 1, 1, 1]])["tp"] == 0
    assert scores_of([[1, 1, 1, 0]], [[1, 1, 1, 1]])["tp"] == 1


def test_aji_by_hand():
    """One truth of 4 px met by 3, one truth of 2 px missed, one prediction of 1 px alone: 3 / (4 + 2 + 1)."""
    truth = [[1, 1, 1, 1, 0, 2, 2, 0]]
    predicted = [[5, 5, 5, 0, 0, 0, 0, 9]]
    assert scores_of(predicted, truth)["aji"] == pytest.approx(3 / 7)


def test_aji_takes_the_lower_id_of_equally_good_predictions():
    """A truth of 4 px meets a prediction of 1 px (IoU 1/4) and 2 px of one of 6 px (IoU 2/8)."""
    truth = [[1, 1, 1, 1, 0, 0, 0, 0]]
    assert scores_of([[3, 7, 7, 0, 7, 7, 7, 7]], truth)["aji"] == pytest.approx(1 / (4 + 6))
    assert scores_of([[7, 3, 3, 0, 3, 3, 3, 3]], truth)["aji"] == pytest.approx(2 / (8 + 1))


def test_a_prediction_may_be_taken_twice_in_aji():
    """A merger of two cells of 2 px counts its 4 px in both unions: (2 + 2) / (4 + 4)."""
    assert scores_of([[6, 6, 6, 6]], [[1, 1, 2, 2]])["aji"] == pytest.approx(0.5)


def test_sbd_is_the_worse_direction():
    """The truth is found exactly, a second prediction is invented: 1 one way, 1/2 the other."""
    assert scores_of([[1, 1, 0, 2]], [[1, 1, 0, 0]])["sbd"] == pytest.approx(0.5)
    assert scores_of([[1, 1, 0, 0]], [[1, 1, 0, 2]])["sbd"] == pytest.approx(0.5)


def test_counts_are_ints_and_scores_floats():
    for pair in (([[1, 2]], [[1, 0]]), ([[0, 0]], [[0, 0]]), ([[0, 0]], [[0, 1]])):
        scores = scores_of(*pair)
        for name in ("dic", "n_predicted", "n_true", "tp", "fp", "fn"):
            assert type(scores.pop(name)) is int
        assert {type(value) for value in scores.values()} == {float}


def test_object_counts_and_quality_of_a_table():
    assert object_counts(contingency(np.array([[1, 2, 0]]), np.array([[0, 3, 3]]))) == (2, 1)
    assert quality(3, 1, 1, 2.4) == pytest.approx((0.75, 0.8, 0.6))
    assert quality(0, 0, 0, 0.0) == (1, 1, 1)
    assert quality(0, 1, 0, 0.0) == (0, 0, 0)
