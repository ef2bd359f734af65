"""Mutex watershed: instances from affinities inside a foreground."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segraft.errors import UserError
from segraft.graphs.affinity import label_affinities
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D, OFFSETS_3D_LONG
from segraft.metrics.scoring import evaluate
from segraft.segment import SEGMENTERS, mutex, mutex_watershed
from shared.labels import same_partition


def disks(shape, count, radius=9, seed=0):
    """Balls around random centres, each pixel to the nearest centre, so that touching ones part there."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    centres = np.random.default_rng(seed).uniform(0, shape, (count, len(shape)))
    distances = np.linalg.norm(grid[..., None, :] - centres, axis=-1)
    return np.where(distances.min(-1) < radius, distances.argmin(-1) + 1, 0)


def affinities_of(labels, offsets, noise=0.0, seed=0):
    """True affinities of a label image, drawn towards 1/2 and with noise."""
    true = label_affinities(torch.from_numpy(labels)[None].long(), offsets)[0][0].numpy()
    return (true + np.random.default_rng(seed).normal(0, noise, true.shape)).astype(np.float32)


WIDTHS = st.lists(st.integers(4, 12), min_size=1, max_size=5)


@settings(max_examples=30)
@given(heights=WIDTHS, widths=WIDTHS, empty=st.sets(st.integers(1, 25)))
def test_true_affinities_give_the_true_cells(heights, widths, empty):
    """A pavement of touching cells, none too narrow for the shortest edge that repels (3 px)."""
    numbers = np.arange(1, len(heights) * len(widths) + 1).reshape(len(heights), len(widths))
    numbers[np.isin(numbers, list(empty))] = 0
    cells = numbers.repeat(heights, 0).repeat(widths, 1)
    assert same_partition(
        mutex_watershed(affinities_of(cells, OFFSETS_2D), OFFSETS_2D, cells > 0, strides=(1, 1)), cells
    )


def kruskal_with_mutexes(affinities, offsets, foreground, strides):
    """Wolf et al. 2020, algorithm 1, edge by edge: merge or forbid, the strongest edge first."""
    space, edges = foreground.shape, []
    for n, p in ((n, p) for n in range(len(offsets)) for p in np.ndindex(*space)):
        q = tuple(np.add(p, offsets[n]).tolist())
        inside = all(0 <= k < size for k, size in zip(q, space, strict=True)) and foreground[p] and foreground[q]
        repels = n >= len(space)
        if inside and not (repels and any(k % stride for k, stride in zip(p, strides, strict=True))):
            edges.append((1 - affinities[n][p] if repels else affinities[n][p], repels, p, q))
    cluster = {p: number for number, p in enumerate(np.ndindex(*space), start=1) if foreground[p]}
    forbidden: list = []
    for _, repels, p, q in sorted(edges, reverse=True):
        if cluster[p] == cluster[q]:
            continue
        if repels:
            forbidden.append((p, q))
        elif not any({cluster[a], cluster[b]} == {cluster[p], cluster[q]} for a, b in forbidden):
            old, new = cluster[q], cluster[p]
            cluster = {pixel: new if number == old else number for pixel, number in cluster.items()}
    labels = np.zeros(space, int)
    for pixel, number in cluster.items():
        labels[pixel] = number
    return labels


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), flat=st.booleans())
def test_the_algorithm_edge_by_edge_agrees(seed, flat):
    rng = np.random.default_rng(seed)
    space, offsets, strides = ((8, 9), OFFSETS_2D, (2, 3)) if flat else ((3, 5, 6), OFFSETS_3D_LONG, (1, 2, 2))
    affinities = rng.random((len(offsets), *space), np.float32)
    foreground = rng.random(space) < 0.8
    expected = kruskal_with_mutexes(affinities, offsets, foreground, strides)
    assert same_partition(mutex_watershed(affinities, offsets, foreground, strides=strides), expected)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), bias=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_a_bias_weakens_what_attracts(seed, bias):
    rng = np.random.default_rng(seed)
    affinities = rng.random((len(OFFSETS_2D), 12, 13), np.float32)
    foreground = rng.random((12, 13)) < 0.8
    weaker = affinities.copy()
    weaker[:2] = np.maximum(weaker[:2] - np.float32(bias), 0)
    expected = mutex_watershed(weaker, OFFSETS_2D, foreground)
    assert same_partition(mutex_watershed(affinities, OFFSETS_2D, foreground, bias=bias), expected)


def test_a_bias_parts_what_touches():
    cells = np.repeat([1, 2], 12)[None].repeat(10, 0)
    affinities = affinities_of(cells, OFFSETS_2D)
    affinities[2:] = np.where(affinities[2:] == 0, 0.4, affinities[2:])  # repels by 0.6
    affinities[:2] = np.where(affinities[:2] == 0, 0.65, 0.9)  # and attracts by a little more
    assert mutex_watershed(affinities, OFFSETS_2D, minimum_size=5).max() == 1
    assert same_partition(mutex_watershed(affinities, OFFSETS_2D, bias=0.1, minimum_size=5), cells)


@pytest.mark.parametrize("bias", [-0.1, 1.1, float("nan")])
def test_a_bias_out_of_range_is_refused(bias):
    with pytest.raises(UserError, match=r"bias: got .*, expected a number from 0 to 1"):
        mutex_watershed(np.ones((10, 8, 8), np.float32), OFFSETS_2D, bias=bias)


def test_thin_pieces_still_join_what_attracts_them_most():
    """The rule for thin segments weighs by the affinities themselves, which a bias of 1 would make all alike."""
    affinities = affinities_of(disks((60, 60), 12), OFFSETS_2D, noise=0.1)
    labels = mutex_watershed(affinities, OFFSETS_2D, bias=1.0, thickness=2.0)
    assert 0 < labels.max() < mutex_watershed(affinities, OFFSETS_2D, bias=1.0).max()


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), block=st.sampled_from([1, 7, 40]), minimum_size=st.integers(0, 12))
def test_blocks_change_nothing(seed, block, minimum_size):
    rng = np.random.default_rng(seed)
    affinities = rng.random((10, 60, 70), np.float32)
    foreground = ndimage.gaussian_filter(rng.random((60, 70)), 2) > 0.5
    whole = mutex_watershed(affinities, OFFSETS_2D, foreground, minimum_size=minimum_size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mutex, "BLOCK", block)
        parts = mutex_watershed(affinities, OFFSETS_2D, foreground, minimum_size=minimum_size)
    assert whole.max() > 5
    assert same_partition(parts, whole)


def test_stored_affinities_are_read_in_parts(tmp_path):
    cells = disks((90, 90), 20)
    affinities = affinities_of(cells, OFFSETS_2D, noise=0.1)
    with h5py.File(tmp_path / "affinities.h5", "w") as file:
        stored = file.create_dataset("affinities", data=affinities)
        labels = mutex_watershed(stored, OFFSETS_2D, cells > 0)
    np.testing.assert_array_equal(labels, mutex_watershed(affinities, OFFSETS_2D, cells > 0))


@pytest.mark.parametrize(("offsets", "space"), [(OFFSETS_2D, (30, 31)), (OFFSETS_3D_LONG, (6, 29, 30))])
def test_another_library_agrees(offsets, space):
    mwatershed = pytest.importorskip("mwatershed")
    affinities = np.random.default_rng(0).random((len(offsets), *space), np.float32)
    signed = affinities.astype(float)
    signed[len(space) :] -= 1  # there, edges that repel are negative
    expected = mwatershed.agglom(signed, list(offsets)).astype(np.int64)
    assert len(np.unique(expected)) > 50
    assert same_partition(mutex_watershed(affinities, offsets, strides=(1,) * len(space)), expected)


def test_noisy_affinities_give_the_true_cells():
    cells = disks((120, 140), 40)
    labels = mutex_watershed(affinities_of(cells, OFFSETS_2D, noise=0.1), OFFSETS_2D, cells > 0)
    assert evaluate(labels, cells)["pq"] > 0.98


def test_a_volume_by_the_same_code():
    cells = disks((20, 40, 36), 12)
    labels = mutex_watershed(affinities_of(cells, OFFSETS_3D_LONG, noise=0.1), OFFSETS_3D_LONG, cells > 0)
    assert labels.shape == cells.shape
    assert evaluate(labels, cells)["aji"] > 0.98


def test_without_foreground_the_background_is_a_segment():
    cells = disks((60, 60), 3)
    labels = mutex_watershed(affinities_of(cells, OFFSETS_2D), OFFSETS_2D)
    assert labels.min() == 1
    assert evaluate(labels, cells + 1)["voi"] < 0.05


def test_labels_are_consecutive_32_bit_and_inside_the_foreground():
    cells = disks((90, 90), 20)
    foreground = np.random.default_rng(1).random(cells.shape) > 0.4
    labels = mutex_watershed(affinities_of(cells, OFFSETS_2D, noise=0.3), OFFSETS_2D, foreground)
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels > 0, foreground)
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_small_fragments_join_the_larger_ones_that_they_touch_and_vanish_elsewhere():
    cells = disks((90, 90), 20)
    affinities = affinities_of(cells, OFFSETS_2D, noise=0.4)
    everything = mutex_watershed(affinities, OFFSETS_2D, cells > 0)
    labels = mutex_watershed(affinities, OFFSETS_2D, cells > 0, minimum_size=100)
    sizes = np.bincount(everything.ravel())
    assert sizes[1:].min() < 100 <= np.bincount(labels.ravel())[1:].min()
    large = (everything > 0) & (sizes[everything] >= 100)
    pairs = np.unique(np.stack([everything[large], labels[large]]), axis=1)
    assert labels.max() == pairs.shape[1] == len(np.unique(everything[large])), "larger segments stay apart and whole"
    pieces, _ = ndimage.label(everything > 0)
    reachable = np.isin(pieces, np.unique(pieces[large]))
    np.testing.assert_array_equal(labels > 0, reachable & (everything > 0))


def test_affinities_outside_0_to_1_are_clipped():
    affinities = np.random.default_rng(0).normal(0.5, 0.6, (len(OFFSETS_2D), 60, 60)).astype(np.float32)
    affinities[0, 3, 3], affinities[5, 30, 30] = np.inf, -np.inf
    expected = mutex_watershed(affinities.clip(0, 1), OFFSETS_2D)
    assert expected.max() > 10
    np.testing.assert_array_equal(mutex_watershed(affinities, OFFSETS_2D), expected)


def test_arguments_stay_as_they_were_and_results_repeat():
    cells = disks((50, 50), 8)
    affinities = affinities_of(cells, OFFSETS_2D, noise=0.3)
    before, foreground = affinities.copy(), cells > 0
    first = mutex_watershed(affinities, OFFSETS_2D, foreground)
    np.testing.assert_array_equal(mutex_watershed(affinities, OFFSETS_2D, foreground), first)
    np.testing.assert_array_equal(affinities, before)
    np.testing.assert_array_equal(foreground, cells > 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8])
def test_other_number_types_do(dtype):
    cells = disks((30, 30), 4)
    affinities = affinities_of(cells, OFFSETS_2D)
    expected = mutex_watershed(affinities, OFFSETS_2D, cells > 0)
    np.testing.assert_array_equal(mutex_watershed(affinities.astype(dtype), OFFSETS_2D, cells > 0), expected)


@pytest.mark.parametrize("space", [(1, 1), (1, 300), (300, 1), (3, 2)])
def test_tiny_and_elongated_images(space):
    affinities = np.ones((len(OFFSETS_2D), *space), np.float32)
    assert np.all(mutex_watershed(affinities, OFFSETS_2D) == 1)
    assert np.all(mutex_watershed(affinities, OFFSETS_2D, np.ones(space, bool)) == 1)


@pytest.mark.parametrize(("offsets", "space"), [(OFFSETS_2D, (6, 7)), (OFFSETS_3D_LONG, (3, 6, 7))])
def test_an_empty_foreground_has_no_instances(offsets, space):
    labels = mutex_watershed(np.ones((len(offsets), *space), np.float32), offsets, np.zeros(space, bool))
    assert labels.shape == space
    assert labels.dtype == np.uint32
    assert not labels.any()


def test_strides_thin_only_the_edges_that_repel():
    cells = np.repeat([[1] * 20 + [2] * 20], 40, 0)
    affinities = affinities_of(cells, OFFSETS_2D)
    assert same_partition(mutex_watershed(affinities, OFFSETS_2D, strides=(1, 1)), cells)
    assert mutex_watershed(affinities, OFFSETS_2D, strides=(100, 100)).max() == 1


def at_nan():
    affinities = np.ones((10, 5, 5), np.float32)
    affinities[9, 4, 4] = np.nan
    return affinities


@pytest.mark.parametrize(
    ("affinities", "offsets", "settings", "says"),
    [
        (at_nan(), OFFSETS_2D, {}, "NaN"),
        (np.ones((9, 5, 5)), OFFSETS_2D, {}, r"\(9, 5, 5\).*one offset per channel"),
        (np.ones((10, 4, 5, 5)), OFFSETS_2D, {}, "3 numbers"),
        (np.ones((10, 5)), OFFSETS_2D, {}, r"\(offsets, y, x\)"),
        (np.ones((10, 0, 5)), OFFSETS_2D, {}, r"\(10, 0, 5\)"),
        (np.ones((3, 4, 5, 5)), OFFSETS_3D, {}, "OFFSETS_3D_LONG"),
        (np.ones((10, 5, 5)), OFFSETS_2D, {"foreground": np.ones((5, 6), bool)}, r"\(5, 6\)"),
        (np.ones((10, 5, 5)), OFFSETS_2D, {"foreground": np.ones((5, 5))}, "threshold"),
        (np.ones((10, 5, 5)), OFFSETS_2D, {"strides": (1, 5, 5)}, "2 positive integers"),
        (np.ones((10, 5, 5)), OFFSETS_2D, {"strides": (0, 5)}, "positive"),
    ],
)
def test_mistakes_are_answered_in_one_line(affinities, offsets, settings, says):
    with pytest.raises(UserError, match=says) as error:
        mutex_watershed(affinities, offsets, **settings)
    assert "\n" not in str(error.value)


def test_it_is_the_segmenter_called_mutex():
    assert SEGMENTERS["mutex"] is mutex_watershed
