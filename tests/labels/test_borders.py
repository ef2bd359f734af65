"""Borders between objects: widened for training, and drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.labels.borders import boundaries, widen_borders
from shared.labels import HUGE, LABELS, label_images


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
    with pytest.raises(UserError, match="border width: got -1"):
        widen_borders(np.ones((2, 2), int), -1)
    with pytest.raises(UserError, match="renumber"):
        widen_borders(np.full((2, 2), 2**63, np.uint64), 1)
    with pytest.raises(UserError, match="float64"):
        widen_borders(np.full((2, 2), 0.5), 1)


@given(LABELS)
def test_boundaries_are_pixels_with_another_neighbour(labels: np.ndarray) -> None:
    expected = np.zeros(labels.shape, bool)
    for (y, x), label in np.ndenumerate(labels):
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if 0 <= y + dy < labels.shape[0] and 0 <= x + dx < labels.shape[1]:
                expected[y, x] |= label > 0 and labels[y + dy, x + dx] != label
    assert np.array_equal(boundaries(labels), expected)
