"""The contingency table, against loops over all pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.errors import UserError
from segraft.labels.contingency import contingency, together, without_small
from segraft.labels.relabel import remove_small
from shared.labels import HUGE, SHAPES

PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int64, shape, elements=st.integers(0, 4) | HUGE),
        hnp.arrays(np.int64, shape, elements=st.integers(-1, 4) | HUGE),
    )
)


@given(PAIRS)
def test_contingency_counts_what_a_loop_counts(pair):
    predicted, truth = pair
    table = contingency(predicted, truth)
    pixels = [(p, t) for p, t in zip(predicted.ravel().tolist(), truth.ravel().tolist(), strict=True) if t != -1]
    expected = {pair: pixels.count(pair) for pair in pixels}
    found = dict(
        zip(
            zip(table.predicted_ids.tolist(), table.truth_ids.tolist(), strict=True),
            table.counts,
            strict=True,
        )
    )
    assert found == expected
    assert len(table.counts) == len(expected)
    assert table.pixels == len(pixels)
    for (p, t), of_predicted, of_true in zip(found, table.predicted_sizes, table.truth_sizes, strict=True):
        assert of_predicted == sum(q == p for q, _ in pixels)
        assert of_true == sum(u == t for _, u in pixels)


@given(PAIRS)
def test_pairs_come_in_the_order_of_true_then_predicted_ids(pair):
    table = contingency(*pair)
    order = list(zip(table.truth_ids.tolist(), table.predicted_ids.tolist(), strict=True))
    assert order == sorted(order)


@given(PAIRS)
def test_chosen_pairs_are_the_table_of_their_pixels(pair):
    predicted, truth = pair
    chosen = contingency(predicted, truth)
    chosen = chosen.where(chosen.truth_ids > 0)
    expected = contingency(predicted, np.where(truth > 0, truth, -1))
    for name in ("predicted_ids", "truth_ids", "counts", "predicted_sizes", "truth_sizes"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(expected, name))


NAMES = ("predicted_ids", "truth_ids", "counts", "predicted_sizes", "truth_sizes")


@given(PAIRS, st.integers(1, 3), st.randoms())
def test_parts_have_the_table_of_the_whole_in_any_order(pair, rows, random):
    predicted, truth = pair
    parts = [(predicted[row : row + rows], truth[row : row + rows]) for row in range(0, len(truth), rows)]
    random.shuffle(parts)
    found, expected = together([contingency(*part) for part in parts]), contingency(predicted, truth)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


@given(PAIRS, st.integers(0, 6))
def test_small_true_objects_are_background_as_where_they_are_removed(pair, minimum):
    predicted, truth = pair
    found = without_small(contingency(predicted, truth), minimum)
    expected = contingency(predicted, remove_small(truth, minimum))
    for name in NAMES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_a_predicted_unknown_is_no_object():
    table = contingency(np.array([[-1, 0, 3]]), np.array([[1, 1, 1]]))
    assert table.predicted_ids.tolist() == [0, 3]
    assert table.counts.tolist() == [2, 1]


def test_different_integer_types_and_memory_orders_compare():
    predicted = np.asfortranarray(np.array([[1, 2], [3, 2**64 - 1]], np.uint64))
    table = contingency(predicted, np.array([[-1, 1], [1, 1]], np.int8))
    assert table.predicted_ids.tolist() == [2, 3, 2**64 - 1]
    assert table.counts.tolist() == [1, 1, 1]


def test_shapes_that_differ_are_named():
    with pytest.raises(UserError, match=r"\(2, 3\).*\(3, 2\)"):
        contingency(np.zeros((2, 3), int), np.zeros((3, 2), int))


@pytest.mark.parametrize(("which", "says"), [(0, "predicted labels"), (1, "true labels")])
def test_the_wrong_one_of_the_two_is_named(which, says):
    images = [np.zeros((2, 3), int), np.zeros((2, 3), int)]
    images[which] = images[which] + 0.5
    with pytest.raises(UserError, match=says):
        contingency(*images)
