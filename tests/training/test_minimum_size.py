"""The default minimum size loses no true object that is not far smaller than the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.training.minimum_size import note_smaller, usual_minimum

MIXED = np.concatenate([np.linspace(400, 1500, 10), np.linspace(32, 78, 8)]).astype(int)


@pytest.mark.parametrize("ndim", [2, 3])
def test_small_objects_among_large_ones_stay(ndim: int) -> None:
    assert round(np.median(MIXED) * 0.05) > 20
    assert 0 < usual_minimum(MIXED, ndim) <= 17
    assert note_smaller(MIXED, usual_minimum(MIXED, ndim)) == ""


def test_spots_stay() -> None:
    assert usual_minimum(np.array([1, 2, 3, 4] * 20), 2) == 0


def test_large_objects_have_the_fixed_sizes() -> None:
    assert usual_minimum(np.full(40, 1000), 2) == 10
    assert usual_minimum(np.full(40, 1000), 3) == 50


def test_without_objects() -> None:
    assert usual_minimum(np.array([], int), 2) == 10
    assert usual_minimum(np.array([], int), 3) == 0


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200), st.sampled_from([2, 3]))
def test_hardly_any_object_lies_below(sizes: list[int], ndim: int) -> None:
    """At most every twentieth does, and none in a set of like sizes."""
    minimum = usual_minimum(np.array(sizes), ndim)
    below = sum(size < minimum for size in sizes)
    assert below <= len(sizes) / 20
    assert not below or min(sizes) < np.percentile(sizes, 5, method="lower") / 2


def test_what_lies_below_is_told() -> None:
    assert note_smaller(MIXED, 40).startswith(
        "note: 2 of 18 training objects have fewer pixels than the minimum size, 40"
    )
