"""Label images: checks, renumbering, small fragments and the contingency table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.errors import UserError
from segraft.labels.borders import widen_borders
from segraft.labels.check import check_labels
from segraft.labels.contingency import contingency
from segraft.labels.relabel import consecutive, id_dtype, remove_small

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)
HUGE = st.sampled_from([0, 1, 2, 7, 300, 70_000, 2**40, 2**63 - 1])


def label_images(elements, dtype=np.int64):
    return hnp.arrays(dtype, SHAPES, elements=elements)


PAIRS = SHAPES.flatmap(
    lambda shape: st.tuples(
        hnp.arrays(np.int64, shape, elements=st.integers(0, 4) | HUGE),
        hnp.arrays(np.int64, shape, elements=st.integers(-1, 4) | HUGE),
    )
)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_keep_their_type(dtype):
    labels = np.array([[0, 1], [2, 100]], dtype)
    assert check_labels(labels) is labels


def test_booleans_become_one_object():
    checked = check_labels(np.array([[True, False]]))
    assert checked.tolist() == [[1, 0]]
    assert np.issubdtype(checked.dtype, np.integer)


def test_unknown_is_a_label():
    assert check_labels(np.array([[-1, 0]])).tolist() == [[-1, 0]]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((8, 9)), "float64"),
        (np.zeros((8, 9), complex), "complex128"),
        (np.array([["a", "b"]]), "integers"),
        (np.array([[0, -2]]), "-2"),
        (np.zeros((8, 9, 4), np.uint8), "--dataset bbbc039"),
        (np.zeros((8, 9, 3), np.uint8), "colour"),
        (np.zeros(5, int), r"shape \(5\)"),
        (np.zeros((1, 2, 3, 4), int), "shape"),
        (np.zeros((0, 4), int), "at least one pixel"),
    ],
)
def test_what_is_no_label_image_is_answered_in_one_line(array, says):
    with pytest.raises(UserError, match=says) as error:
        check_labels(array, "masks/a.png")
    assert str(error.value).startswith("masks/a.png: ")
    assert "\n" not in str(error.value)


def test_a_thin_volume_is_no_picture():
    assert check_labels(np.zeros((8, 9, 4), np.uint16)).shape == (8, 9, 4)


@given(label_images(st.integers(-1, 9) | HUGE))
def test_consecutive_renumbers_in_the_order_of_ids(labels):
    result = consecutive(labels)
    ids = sorted(set(labels[labels > 0].tolist()))
    expected = [ids.index(x) + 1 if x > 0 else 0 for x in labels.ravel().tolist()]
    assert result.dtype == np.uint32
    assert result.shape == labels.shape
    assert result.ravel().tolist() == expected


@given(label_images(st.integers(0, 9) | HUGE))
def test_consecutive_twice_changes_nothing(labels):
    once = consecutive(labels)
    np.testing.assert_array_equal(consecutive(once), once)


def test_the_largest_unsigned_ids_are_told_apart():
    labels = np.array([[2**64 - 1, 2**64 - 2, 0]], np.uint64)
    assert consecutive(labels).tolist() == [[2, 1, 0]]
    assert remove_small(labels, 1).tolist() == labels.tolist()
    close = np.array([[2**64 - 1, 2**64 - 2]], np.uint64)
    assert consecutive(close).tolist() == [[2, 1]]


def test_narrow_types_do_not_overflow():
    labels = np.arange(-1, 127, dtype=np.int8).reshape(2, 64)
    assert consecutive(labels).max() == 126
    np.testing.assert_array_equal(remove_small(labels, 1), labels)


def test_labels_without_pixels_stay_without():
    assert consecutive(np.zeros((0, 3), int)).shape == (0, 3)


def test_more_instances_than_16_bits_hold():
    labels = np.arange(70_000).reshape(200, 350)
    np.testing.assert_array_equal(consecutive(labels * 3), labels)


def test_ids_get_64_bits_only_beyond_32():
    assert id_dtype(2**32 - 1) is np.uint32
    assert id_dtype(2**32) is np.uint64


@given(label_images(st.integers(-1, 5) | HUGE), st.integers(0, 12))
def test_remove_small_removes_exactly_the_small_instances(labels, minimum):
    before = labels.copy()
    result = remove_small(labels, minimum)
    flat = labels.ravel().tolist()
    expected = [0 if x > 0 and flat.count(x) < minimum else x for x in flat]
    assert result.ravel().tolist() == expected
    assert result.dtype == labels.dtype
    np.testing.assert_array_equal(labels, before)


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


def widened(labels, width):
    """The definition of ``widen_borders``, pixel by pixel."""
    result = np.zeros(labels.shape, np.int64)
    for at in np.ndindex(labels.shape):
        *section, y, x = at
        rows, columns = slice(max(0, y - width), y + width + 1), slice(max(0, x - width), x + width + 1)
        near = labels[(*section, rows, columns)]
        border = bool(((near > 0) & (near != labels[at])).any())
        result[at] = -1 if labels[at] <= 0 else 0 if border else labels[at]
    return result


@given(label_images(st.integers(-1, 3) | HUGE), st.integers(0, 3))
def test_borders_are_widened_as_defined(labels, width):
    before = labels.copy()
    result = widen_borders(labels, width)
    np.testing.assert_array_equal(result, widened(labels, width))
    np.testing.assert_array_equal(labels, before)


@given(label_images(st.integers(-1, 3) | HUGE), st.integers(0, 3))
def test_widened_borders_only_take_from_objects(labels, width):
    result, wider = widen_borders(labels, width), widen_borders(labels, width + 1)
    left = result > 0
    np.testing.assert_array_equal(result[left], labels[left])
    assert (left | (wider <= 0)).all()
    np.testing.assert_array_equal(result == -1, labels <= 0)
    # Objects that are apart lose nothing more; only their membranes would be taken for gaps in the truth.
    np.testing.assert_array_equal(widen_borders(result, width), np.where(left, result, -1))
    np.testing.assert_array_equal(widen_borders(np.flip(labels, -1), width), np.flip(result, -1))


@given(label_images(st.integers(-1, 5)))
def test_borders_of_no_width_only_make_the_background_unknown(labels):
    np.testing.assert_array_equal(widen_borders(labels, 0), np.where(labels == 0, -1, labels))


@pytest.mark.parametrize(
    ("dtype", "signed"),
    [
        (bool, np.int16),
        (np.int8, np.int8),
        (np.uint8, np.int16),
        (np.uint16, np.int32),
        (np.uint32, np.int64),
        (np.uint64, np.int64),
    ],
)
def test_widened_labels_have_a_sign_and_any_order_of_memory(dtype, signed):
    labels = np.asfortranarray(np.array([[[0, 1, 1]], [[1, 1, 1]]], dtype))
    result = widen_borders(labels, 1)
    assert result.dtype == signed
    assert result.tolist() == [[[-1, 1, 1]], [[1, 1, 1]]]


def test_borders_that_cannot_be_widened_are_refused():
    with pytest.raises(UserError, match="border width came as -1"):
        widen_borders(np.ones((2, 2), int), -1)
    with pytest.raises(UserError, match="renumber"):
        widen_borders(np.full((2, 2), 2**63, np.uint64), 1)
    with pytest.raises(UserError, match="float64"):
        widen_borders(np.ones((2, 2)), 1)
