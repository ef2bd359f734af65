"""Objects in pieces far apart: by hand, and against what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.labels.masks import Masks
from segraft.labels.relabel import components
from segraft.labels.scattered import scattered

SIDE = 7
"""Pixels of a cell; the next one begins a pixel further."""


def grid(side: int = 6, depth: int | None = None) -> np.ndarray:
    """Square cells on a grid, numbered from 1, with a pixel of background between them."""
    cell = np.zeros((SIDE + 1, SIDE + 1), int)
    cell[:SIDE, :SIDE] = 1
    numbers = np.kron(np.arange(1, side * side + 1).reshape(side, side), cell)
    return numbers if depth is None else np.repeat(numbers[None], depth, 0)


def spread_out(numbers: np.ndarray, width: float) -> int:
    """How many numbers, of a grid of cells, have one farther from their first cell than the width."""
    places = [np.argwhere(numbers == number) for number in np.unique(numbers)]
    gaps = [np.maximum(0, abs(each - each[0]) * (SIDE + 1) - SIDE) for each in places]
    return sum(bool((np.hypot(*gap.T) > width).any()) for gap in gaps)


def plant(leaves: int, split: int) -> np.ndarray:
    """Upright leaves of 40×10 pixels, the first of which a stem of their own width crosses in the middle."""
    labels = np.zeros((40, leaves * 12), np.int32)
    for leaf in range(leaves):
        labels[:, leaf * 12 + 1 : leaf * 12 + 11] = leaf + 1
        if leaf < split:
            labels[15:25, leaf * 12 : leaf * 12 + 12] = leaves + leaf + 1
    return labels


def doubtful(labels: np.ndarray) -> bool:
    masks = Masks()
    masks.look("a", labels)
    return masks.doubtful


@given(seed=st.integers(0, 1000), shape=st.sampled_from([(20, 30), (6, 12, 14)]))
def test_connected_objects_are_never_scattered(seed, shape):
    labels = components(np.random.default_rng(seed).integers(-1, 4, shape))
    assert scattered(labels) == (0, labels.max())


@pytest.mark.parametrize(
    ("depth", "width"), [(None, 2 * (SIDE**2 / np.pi) ** 0.5), (8, (48 * SIDE**2 / np.pi) ** (1 / 3))]
)
@pytest.mark.parametrize("count", [2, 4, 9, 36])
@given(seed=st.integers(0, 1000))
def test_numbers_that_are_used_again_are_told(depth, width, count, seed):
    numbers = np.random.default_rng(seed).integers(1, count + 1, 36)
    labels = np.append(0, numbers)[grid(depth=depth)]
    far = spread_out(numbers.reshape(6, 6), width)
    assert scattered(labels) == (far, len(np.unique(numbers)))
    assert doubtful(labels) == (far > 1 + len(np.unique(numbers)) / 10)
    assert count > 4 or doubtful(labels)


@pytest.mark.parametrize("count", [290, 400, 625])
def test_more_cells_than_8_bits_hold(count):
    cells = np.where(grid(25) <= count, grid(25), 0)
    assert not doubtful(cells)
    labels = (cells % 256).astype(np.uint8)
    assert scattered(labels)[0] == min(255, count - 256)
    assert doubtful(labels)


@pytest.mark.parametrize("split", [0, 1, 6, 12])
def test_leaves_that_others_cross_are_no_reused_numbers(split):
    labels = plant(12, split)
    assert components(labels).max() == 12 + 2 * split
    assert scattered(labels) == (0, 12 + split)
    assert not doubtful(labels)


@pytest.mark.parametrize(("again", "told"), [(0, False), (1, False), (2, False), (4, False), (5, True), (8, True)])
def test_a_few_objects_far_apart_are_believed(again, told):
    """One, and every tenth."""
    labels = grid()
    labels[labels > 36 - again] -= 36 - again
    assert scattered(labels) == (again, 36 - again)
    assert doubtful(labels) == told


def test_stray_pixels_do_not_count():
    labels = np.zeros((60, 60), int)
    labels[:8, :8], labels[50:58, 50:58] = 1, 2
    labels[40, 40:46], labels[2:4, 50:53] = 1, 2
    assert scattered(labels) == (0, 2)
    labels[40, 40:47] = 1  # a tenth of 64 pixels
    assert scattered(labels) == (1, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_unknown_and_wide_numbers(dtype):
    labels = np.zeros((4, 40), dtype)
    labels[:, :4] = labels[:, 30:34] = np.iinfo(dtype).max
    labels[:, 8:12] = 3
    assert scattered(labels) == (1, 2)
    assert scattered(np.full((4, 5), -1)) == scattered(np.zeros((0, 5), int)) == (0, 0)
