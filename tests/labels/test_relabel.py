"""Renumbering and small instances, against loops over all pixels."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segraft.labels.relabel import consecutive, id_dtype, remove_small
from shared.labels import HUGE, label_images


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
