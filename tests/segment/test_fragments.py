"""Fragments: what is thin or small joins the larger segment that attracts it, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D_LONG
from segraft.segment import fragments
from segraft.segment.fragments import absorb, deep_pixels, thick_segments
from segraft.segment.mutex import mutex_watershed

DEPTHS = st.sampled_from([1.0, 1.5, 2.0, 2.3, 3.0, 4.5])
BLOCKS = st.one_of(
    arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)),
    arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 3)),
)


def enlarged(blocks: np.ndarray, side: int) -> np.ndarray:
    """Label image of connected pieces of square blocks."""
    large = blocks.repeat(side, -1).repeat(side, -2)
    labels, count = np.zeros(large.shape, np.uint32), 0
    for value in range(1, 4):
        pieces, found = ndimage.label(large == value)
        labels[pieces > 0] = pieces[pieces > 0] + count
        count += found
    return labels


def distances(labels: np.ndarray) -> np.ndarray:
    """Distance of each pixel, in plane, to the nearest one of another label; infinite without any."""
    found = np.empty(labels.shape)
    for plane, into in zip(labels.reshape(-1, *labels.shape[-2:]), found.reshape(-1, *labels.shape[-2:]), strict=True):
        for label in np.unique(plane):
            alike = plane == label
            into[alike] = np.inf if alike.all() else ndimage.distance_transform_edt(alike)[alike]
    return found


def touching(labels: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of labels, both ways, that share an edge or a face."""
    found = set()
    for axis in range(labels.ndim):
        lines = np.moveaxis(labels, axis, 0)
        for a, b in zip(lines[1:].ravel().tolist(), lines[:-1].ravel().tolist(), strict=True):
            if a != b and a and b:
                found |= {(a, b), (b, a)}
    return found


@given(BLOCKS, st.integers(1, 4), DEPTHS)
def test_depth_is_the_distance_to_another_label(blocks: np.ndarray, side: int, depth: float) -> None:
    labels = enlarged(blocks, side)
    deep = deep_pixels(labels, depth)
    assert np.array_equal(deep, distances(labels) > depth)
    thick = thick_segments(labels, depth, int(labels.max()))
    assert all(thick[k] == (distances(labels)[labels == k] > depth).any() for k in range(1, labels.max() + 1))


@given(
    BLOCKS, st.integers(1, 4), st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.sampled_from([0, 5, 40]), st.integers(0, 99)
)
def test_no_fragment_touches_a_larger_segment(
    blocks: np.ndarray, side: int, thickness: float, minimum: int, seed: int
) -> None:
    labels = enlarged(blocks, side)
    attraction = np.random.default_rng(seed).random((labels.ndim, *labels.shape)).astype(np.float32)
    found = absorb(labels, attraction, thickness, minimum)
    sizes, depth = np.bincount(found.ravel()), distances(found)
    for one, other in touching(found):
        if sizes[other] > sizes[one]:
            assert thickness < 1 or depth[found == one].max() > thickness
            assert sizes[one] >= minimum
    assert not ((sizes[1:] < minimum) & (sizes[1:] > 0)).any()
    assert np.array_equal(np.unique(found[found > 0]), np.arange(1, found.max() + 1))
    before = distances(labels)
    for label in range(1, int(labels.max()) + 1):
        pixels = labels == label
        assert len(np.unique(found[pixels])) == 1, "segments join whole"
        if thickness >= 1 and before[pixels].max() > thickness and pixels.sum() >= minimum:
            assert found[pixels].all(), "what is thick and large stays"
    thick = [k for k in range(1, int(labels.max()) + 1) if before[labels == k].max() > thickness and thickness >= 1]
    large = [k for k in thick if (labels == k).sum() >= minimum]
    homes = [int(found[labels == k][0]) for k in large]
    assert len(set(homes)) == len(homes), "objects that are thick and large never join each other"


def test_a_fragment_joins_whom_it_is_drawn_to_most() -> None:
    labels = np.ones((9, 20), np.uint32)
    labels[:, 9:11], labels[:, 11:] = 2, 3
    attraction = np.full((2, 9, 20), 0.5, np.float32)
    attraction[1, :, 11] = 0.9  # the affinities between 2 and 3
    assert absorb(labels, attraction, 2.0, 0)[0].tolist() == [1] * 9 + [2] * 11
    attraction[1, :, 9] = 1.0
    assert absorb(labels, attraction, 2.0, 0)[0].tolist() == [1] * 11 + [2] * 9
    np.testing.assert_array_equal(absorb(labels, attraction, 0.0, 0), labels)


def test_thin_ones_alone_become_a_thick_one() -> None:
    """Three stripes of two pixels, the middle one longest: together they are six wide, an object beside another."""
    labels = np.zeros((20, 20), np.uint32)
    labels[1:12, 1:3], labels[1:13, 3:5], labels[1:12, 5:7] = 1, 2, 3
    labels[:, 7:] = 4
    attraction = np.ones((2, 20, 20), np.float32)
    attraction[1, :, 7] = 0.01
    found = absorb(labels, attraction, 2.0, 0)
    assert found.max() == 2
    assert len(np.unique(found[1:12, 1:7])) == 1


def test_the_border_of_the_image_cuts_but_makes_nothing_thin() -> None:
    """Three rows of an object that goes on outside are thick, two are not."""
    for rows, expected in ((3, 2), (2, 1)):
        labels = np.ones((30, 30), np.uint32)
        labels[:rows] = 2
        assert absorb(labels, np.full((2, 30, 30), 0.5, np.float32), 2.0, 0).max() == expected


@pytest.mark.parametrize("thickness", [-1.0, float("nan"), float("inf")])
def test_a_thickness_that_is_none_is_refused(thickness: float) -> None:
    with pytest.raises(UserError, match=r"thickness: got .*, expected 0 or more"):
        absorb(np.ones((3, 3), np.uint32), np.ones((2, 3, 3), np.float32), thickness, 0)


def test_small_segments_join_or_vanish() -> None:
    labels = np.zeros((12, 12), np.uint32)
    labels[:8], labels[8, 2:5], labels[11, 11] = 1, 2, 3
    found = absorb(labels, np.ones((2, 12, 12), np.float32), 0.0, 4)
    assert found.max() == 1
    assert found[8, 2:5].all()
    assert not found[11, 11]


@given(st.integers(0, 10**6), st.sampled_from([1.0, 2.0, 3.0]))
def test_blocks_of_the_foreground_or_not_the_labels_are_the_same(seed: int, thickness: float) -> None:
    """Pieces of the foreground are partitioned block by block; seen from all of them at once nothing differs."""
    rng = np.random.default_rng(seed)
    for offsets, shape in ((OFFSETS_2D, (40, 60)), (OFFSETS_3D_LONG, (4, 24, 30))):
        affinities = rng.random((len(offsets), *shape)).astype(np.float32)
        foreground = ndimage.uniform_filter(rng.random(shape), 5) > 0.49
        settings = {"strides": (1,) * len(shape)}
        whole = mutex_watershed(affinities, offsets, foreground, thickness=thickness, minimum_size=6, **settings)
        raw = mutex_watershed(affinities, offsets, foreground, **settings)
        once = absorb(raw, affinities[: len(shape)], thickness, 6)
        pairs = np.unique(np.stack([whole.ravel(), once.ravel()]), axis=1)
        assert len(pairs.T) == len(np.unique(whole)) == len(np.unique(once))


@pytest.mark.parametrize("dense", [0, 10**6])
def test_sums_over_borders_are_the_same_in_a_table_and_sorted(monkeypatch: pytest.MonkeyPatch, dense: int) -> None:
    """Bit for bit: so many segments take the one way, few the other, and a piece of an image may be few."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 40, (60, 70)).repeat(2, axis=0).repeat(3, axis=1).astype(np.uint32)
    attraction = rng.random((2, *labels.shape), np.float32)
    expected = absorb(labels, attraction, 2.0, 30)
    monkeypatch.setattr(fragments, "DENSE", dense)
    assert np.array_equal(absorb(labels, attraction, 2.0, 30), expected)
    assert 1 < expected.max() <= 40
