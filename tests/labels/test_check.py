"""What counts as a label image."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.labels.check import check_labels


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_keep_their_type(dtype):
    labels = np.array([[0, 1], [2, 100]], dtype)
    assert check_labels(labels) is labels


def test_booleans_become_one_object():
    checked = check_labels(np.array([[True, False]]))
    assert checked.tolist() == [[1, 0]]
    assert np.issubdtype(checked.dtype, np.integer)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_whole_numbers_may_be_floats(dtype):
    labels = np.array([[0, 1], [2, -1]], dtype)
    assert check_labels(labels).tolist() == [[0, 1], [2, -1]]
    assert check_labels(labels).dtype == np.int32
    assert check_labels(np.array([[2.0**40]])).tolist() == [[2**40]]


def test_unknown_is_a_label():
    assert check_labels(np.array([[-1, 0]])).tolist() == [[-1, 0]]


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.full((8, 9), 0.5), "float64 with 72 values such as 0.5, expected integers"),
        (np.array([[1, np.nan]], np.float32), "float32 with 1 values such as nan"),
        (np.array([[np.inf, 2]]), "such as inf"),
        (np.array([[1e19, 2]]), "such as 1e[+]19"),
        (np.array([[1.0, -2.0]]), "-2"),
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
