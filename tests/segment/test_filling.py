"""Filling: nothing stays empty, nothing that was segmented changes, and both rules do what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

import segraft
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.labels.borders import widen_borders
from segraft.segment import SEGMENTERS
from segraft.segment.filling import fill, relevant

SPARSE = arrays.arrays(
    np.uint32,
    st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0] * 5 + [3, 7, 9]),
)


def tissue(seed: int, shape: tuple[int, ...] = (3, 40, 50), cells: int = 12) -> np.ndarray:
    """Dense labels: the cells of random points, in space."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 1, (cells, len(shape))) * shape
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return (((grid[..., None, :] - points) * [4, 1, 1]) ** 2).sum(-1).argmin(-1).astype(np.uint32) + 1


def affinities_of(labels: np.ndarray, offsets: segraft.types.Offsets = segraft.OFFSETS_3D) -> np.ndarray:
    """Affinities that say which pixels have the same label; background pixels have none."""
    return segraft.label_affinities(torch.from_numpy(labels.astype(np.int64))[None], offsets, "separate")[0][0].numpy()


@given(SPARSE, st.integers(0, 9))
def test_everything_is_filled_and_segments_stay(labels: np.ndarray, seed: int) -> None:
    affinities = np.random.default_rng(seed).uniform(-1, 1, (3, *labels.shape)).astype(np.float32)
    filled = fill(labels, affinities)
    assert filled.dtype == labels.dtype
    assert np.array_equal(filled[labels > 0], labels[labels > 0])
    for before, after in zip(labels, filled, strict=True):
        assert set(np.unique(after)) == (set(np.unique(before)) - {0} or {0})
    assert np.array_equal(fill(filled, affinities), filled)
    assert np.array_equal(fill(labels[0], affinities[1:, 0]), filled[0]), "sections do not see each other"


@given(
    st.one_of(arrays.array_shapes(min_dims=ndim, max_dims=ndim, min_side=1, max_side=12) for ndim in (2, 3)),
    st.integers(0, 2**32 - 1),
)
def test_relevant_affinities_fill_as_all_do_whatever_vanishes(shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, shape).astype(np.uint32)
    nearest = rng.random((len(shape), *shape), np.float32) ** rng.choice([1, 3])
    kept = relevant(labels, labels > 2, nearest)
    gone = np.isin(labels, rng.choice([3, 4, 5], rng.integers(0, 4), replace=False))
    left = np.where(gone, 0, labels)
    np.testing.assert_array_equal(fill(left, kept), fill(left, nearest))
    assert (kept <= nearest).all()


def test_few_affinities_are_relevant() -> None:
    """Those within segments that stay, and those along membranes that nothing binds, are not."""
    labels = np.zeros((20, 30), np.uint32)
    labels[:, :10], labels[:, 20:] = 1, 2
    nearest = np.full((2, 20, 30), 0.9, np.float32)
    nearest[:, :, 13:18] = 0.1
    kept = relevant(labels, labels > 2, nearest)
    assert np.unique(np.nonzero(kept)[2]).tolist() == [10, 11, 12, 17, 18, 19, 20]


@given(SPARSE)
def test_without_affinities_the_nearest_segment_takes_a_pixel(labels: np.ndarray) -> None:
    filled = fill(labels, np.zeros((3, *labels.shape), np.float32))
    for before, after in zip(labels, filled, strict=True):
        if not before.any():
            continue
        present = np.unique(before[before > 0])
        distances = np.stack([ndimage.distance_transform_edt(before != number) for number in present])
        reached = np.take_along_axis(distances, np.searchsorted(present, after)[None], 0)[0]
        nearest = ndimage.distance_transform_edt(before == 0)
        assert np.allclose(reached, nearest)


@pytest.mark.parametrize("seed", range(5))
def test_exact_affinities_give_dense_labels_back(seed: int) -> None:
    truth = tissue(seed)
    kept = np.where(widen_borders(truth, 1) > 0, truth, 0).astype(np.uint32)
    present = np.stack([np.isin(section, left[left > 0]) for section, left in zip(truth, kept, strict=True)])
    filled = fill(kept, affinities_of(truth))
    assert (kept == 0).mean() > 0.1
    assert (filled != truth)[present].mean() < 0.002, "all but tips that touch their cell at corners alone"


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_segmenter_can_be_filled(name: str) -> None:
    truth = tissue(1)[0]
    widened = np.where(widen_borders(truth, 1) > 0, truth, 0)
    affinities = affinities_of(widened, segraft.OFFSETS_2D)
    labels = SEGMENTERS[name](affinities, segraft.OFFSETS_2D, widened > 0)
    assert segraft.evaluate(labels, truth)["voi"] > 0.5
    assert segraft.evaluate(fill(labels, affinities), truth)["voi"] < 0.25


def test_nan_is_refused() -> None:
    with pytest.raises(UserError, match="affinities: got NaN"):
        fill(np.eye(4, dtype=np.uint32), np.full((2, 4, 4), np.nan, np.float32))


def test_perfect_affinities_of_a_real_volume(real_data: Path) -> None:
    """FIB-25's test sections: the foreground leaves membranes out, and VOI and the Rand error count them."""
    truth = open_dataset("cremi", real_data / "fib25", "test")[0].labels
    affinities = affinities_of(truth, segraft.OFFSETS_3D_LONG)
    labels = SEGMENTERS["mutex"](affinities, segraft.OFFSETS_3D_LONG, widen_borders(truth, 1) > 0)
    assert segraft.evaluate(labels, truth)["voi"] > 1.2
    assert segraft.evaluate(fill(labels, affinities), truth)["voi"] < 0.25
