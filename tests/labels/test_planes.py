"""Masks of single objects in planes of a stack, and what else three axes may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.errors import UserError
from segraft.labels.planes import check_plane, is_mask, pile_planes

STACKS = hnp.arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)))


@given(STACKS, st.sampled_from([1, 7, 255]))
def test_the_later_plane_lies_on_top(stack, value):
    labels = pile_planes((stack * value).astype(np.uint8))
    numbers = np.arange(1, len(stack) + 1)[:, None, None]
    np.testing.assert_array_equal(labels, (stack * numbers).max(0))
    assert labels.dtype == np.uint32


def test_planes_of_several_values_are_no_masks():
    stack = np.zeros((3, 4, 4), int)
    stack[0, 0], stack[1, :2] = 9, 2
    assert pile_planes(stack).max() == 2
    assert is_mask(stack[1])
    stack[1, 3] = 5
    assert not is_mask(stack[1])
    with pytest.raises(UserError, match="plane 2 has several values"):
        pile_planes(stack)
    with pytest.raises(UserError, match=r"shape \(4, 4\), expected a stack"):
        pile_planes(stack[0])


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((24, 26, 3), np.uint16), "colours or channels (24, 26, 3)"),
        (np.eye(5, 24, dtype=np.uint8)[:, :, None] * np.ones(26, np.uint8), "a stack of 5 masks (5, 24, 26)"),
        (np.arange(3 * 24 * 26).reshape(3, 24, 26), "a stack of 3 planes of labels (3, 24, 26)"),
        (np.zeros((5, 20, 20), int), "a volume (5, 20, 20)"),
    ],
)
def test_three_axes_for_one_plane_are_named(labels, says):
    with pytest.raises(UserError) as error:
        check_plane(labels, (24, 26))
    assert f"got {says} for an image of one plane (24, 26)" in str(error.value)
    assert ("--options.masks planes" in str(error.value)) == ("masks" in says)
    check_plane(labels[0], (24, 26))
