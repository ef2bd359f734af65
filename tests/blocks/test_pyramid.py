"""The coarser levels of label images, against counting group by group."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.blocks.pyramid import LARGEST_SIDE, coarsened, levels
from shared.labels import HUGE, label_images


@given(label_images(HUGE, np.uint64), st.data())
def test_groups_have_their_most_frequent_id(labels: np.ndarray, data: st.DataObject) -> None:
    steps = data.draw(st.tuples(*[st.integers(1, 2)] * labels.ndim))
    result = coarsened(labels, steps)
    assert result.dtype == labels.dtype
    assert result.shape == tuple(-(-extent // step) for extent, step in zip(labels.shape, steps, strict=True))
    for place in np.ndindex(result.shape):
        box = tuple(slice(k * step, (k + 1) * step) for k, step in zip(place, steps, strict=True))
        frequencies = Counter(labels[box].ravel().tolist())
        assert result[place] == max(frequencies, key=lambda number: (frequencies[number], number > 0, -number))


def test_objects_stay_where_they_are() -> None:
    """Wherever groups of pixels begin, a disc does not drift, nor grows by more than a quarter of a pixel."""
    y, x = np.mgrid[:256, :256]
    drifts, radii = [], []
    for start in product(range(2), repeat=2):
        coarse = coarsened(((y - 120 - start[0]) ** 2 + (x - 130 - start[1]) ** 2 < 60**2).astype(np.uint32), (2, 2))
        drifts.append(np.argwhere(coarse).mean(0) * 2 + 0.5 - (120, 130) - start)
        radii.append(np.sqrt(coarse.sum() / np.pi))
    assert np.abs(drifts).max() < 0.1
    assert np.mean(drifts, 0) == pytest.approx([0, 0], abs=1e-6)
    assert 30 < np.mean(radii) < 30.25


def test_lines_stay_connected() -> None:
    labels = np.zeros((9, 9), np.uint32)
    labels[4], labels[:, 7] = 5, 6
    assert (coarsened(labels, (2, 2)) > 0).astype(int).tolist() == [[0, 0, 0, 1, 0]] * 2 + [[1] * 5] + [
        [0, 0, 0, 1, 0]
    ] * 2


@given(
    st.lists(st.integers(1, 5000), min_size=2, max_size=3),
    st.none() | st.lists(st.floats(1, 100), min_size=3, max_size=3),
)
def test_pyramids_end_when_they_are_small(space: list[int], voxel_size: list[float] | None) -> None:
    size = voxel_size and voxel_size[-len(space) :]
    pyramid = levels(space, size)
    assert pyramid[0] == (tuple(space), (1,) * len(space))
    assert max(pyramid[-1].space) <= LARGEST_SIDE
    assert all(max(level.space) > LARGEST_SIDE for level in pyramid[:-1])
    for level in pyramid:
        assert level.space == tuple(-(-extent // by) for extent, by in zip(space, level.factors, strict=True))


def test_long_voxels_are_halved_when_the_others_are_as_long() -> None:
    sections = [level.factors for level in levels((100, 8192, 8192), (40.0, 4.0, 4.0))]
    assert sections == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (1, 8, 8), (2, 16, 16)]
    assert [level.factors for level in levels((1, 2048, 2048))] == [(1, 1, 1), (1, 2, 2), (1, 4, 4)]
    assert [level.factors for level in levels((600, 600), (1.99, 1.0))] == [(1, 1), (2, 2)]
