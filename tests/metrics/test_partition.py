"""Variation of information and adapted Rand error, against scikit-image and loops over pixels."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import log2

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import adapted_rand_error, variation_of_information

from segraft.labels.contingency import contingency
from segraft.metrics.partition import partition_scores

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)
PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int32, shape, elements=st.integers(0, 4)),
        hnp.arrays(np.int32, shape, elements=st.integers(-1, 4)),
    )
)


def scores_of(predicted, truth):
    return partition_scores(contingency(np.asarray(predicted), np.asarray(truth)))


def foreground_pixels(predicted, truth):
    return [(p, t) for p, t in zip(predicted.ravel().tolist(), truth.ravel().tolist(), strict=True) if t > 0]


def conditional_entropy(of, given):
    """H(of | given) in bits from two lists of labels."""
    joint, marginal = Counter(zip(of, given, strict=True)), Counter(given)
    return -sum(n / len(of) * log2(n / marginal[g]) for (_, g), n in joint.items())


@given(PAIRS)
def test_entropies_equal_loops_over_pixels(pair):
    pixels = foreground_pixels(*pair)
    assume(pixels)
    predicted, true = zip(*pixels, strict=True)
    scores = scores_of(*pair)
    assert scores["voi_split"] == pytest.approx(conditional_entropy(predicted, true), abs=1e-12)
    assert scores["voi_merge"] == pytest.approx(conditional_entropy(true, predicted), abs=1e-12)
    assert scores["voi"] == scores["voi_split"] + scores["voi_merge"]


@given(PAIRS)
def test_rand_error_equals_loops_over_pairs_of_pixels(pair):
    pixels = list(combinations(foreground_pixels(*pair), 2))
    predicted = sum(a[0] == b[0] for a, b in pixels)
    true = sum(a[1] == b[1] for a, b in pixels)
    both = sum(a == b for a, b in pixels)
    expected = 1 - 2 * both / (predicted + true) if predicted + true else 0
    assert scores_of(*pair)["arand"] == pytest.approx(expected, abs=1e-12)


@given(PAIRS)
def test_voi_agrees_with_scikit_image(pair):
    """Its first number is the entropy of its second image given the first."""
    predicted, truth = pair
    assume((truth > 0).any())
    split, merge = variation_of_information(truth[truth > 0], predicted[truth > 0])
    scores = scores_of(predicted, truth)
    assert scores["voi_split"] == pytest.approx(split, abs=1e-9)
    assert scores["voi_merge"] == pytest.approx(merge, abs=1e-9)


@given(PAIRS)
def test_rand_error_agrees_with_scikit_image(pair):
    predicted, truth = pair[0], np.maximum(pair[1], 0)
    sizes = [np.bincount(labels[truth > 0]).max(initial=0) for labels in pair]
    assume(min(sizes) > 1)  # scikit-image divides 0 by 0 else
    error, _, _ = adapted_rand_error(truth, predicted)
    assert scores_of(predicted, truth)["arand"] == pytest.approx(error, abs=1e-12)


@given(PAIRS)
def test_the_truth_itself_is_at_distance_0(pair):
    assert set(scores_of(pair[1], pair[1]).values()) == {0}


@given(PAIRS)
def test_scores_are_finite_and_not_negative(pair):
    scores = scores_of(*pair)
    assert all(np.isfinite(value) and value >= 0 and type(value) is float for value in scores.values())
    assert scores["arand"] <= 1


@given(PAIRS, st.permutations(range(5)), st.permutations(range(1, 6)))
def test_numbers_do_not_matter_nor_which_segment_is_called_0(pair, first, second):
    predicted, truth = pair
    renumbered = np.array(first)[predicted], np.append(np.array([0, *second]), -1)[truth]
    assert scores_of(*renumbered) == pytest.approx(scores_of(predicted, truth), abs=1e-12)


@given(PAIRS)
def test_without_background_swapping_swaps_splits_and_merges(pair):
    predicted, truth = pair[0] + 1, np.maximum(pair[1], 0) + 1
    there, back = scores_of(predicted, truth), scores_of(truth, predicted)
    swapped = {"voi_split": back["voi_merge"], "voi_merge": back["voi_split"]}
    assert there == pytest.approx(back | swapped, abs=1e-12)


@given(PAIRS, st.integers(0, 4))
def test_true_background_and_unknown_pixels_are_left_out(pair, label):
    predicted, truth = pair
    assert scores_of(np.where(truth <= 0, label, predicted), truth) == scores_of(predicted, truth)


def test_a_cell_cut_in_halves_is_one_bit_of_splitting():
    assert scores_of([[1, 1, 2, 2]], [[7, 7, 7, 7]]) == {
        "voi": 1.0,
        "voi_split": 1.0,
        "voi_merge": 0.0,
        "arand": pytest.approx(1 - 2 * 2 / (2 + 6)),
    }


def test_two_cells_in_one_are_one_bit_of_merging():
    scores = scores_of([[0, 0, 0, 0]], [[7, 7, 8, 8]])
    assert (scores["voi_split"], scores["voi_merge"]) == (0, 1)


@pytest.mark.parametrize("truth", [[[0, 0, 0]], [[-1, -1, -1]], [[0, -1, 0]], [[0, 5, 0]], [[1, 2, 3]]])
def test_nothing_to_compare_is_0(truth):
    """No true pixel, or no two pixels in any segment."""
    assert scores_of([[1, 2, 3]], truth) == {"voi": 0, "voi_split": 0, "voi_merge": 0, "arand": 0}
