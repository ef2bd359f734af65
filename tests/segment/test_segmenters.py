"""What every segmenter keeps to: affinities and a foreground in, consecutive labels of the true objects out."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segraft.errors import UserError
from segraft.graphs.affinity import label_affinities
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D_LONG
from segraft.metrics.scoring import evaluate
from segraft.segment import SEGMENTERS

OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D_LONG}
EVERY_PIXEL = {"mutex": lambda ndim: {"strides": (1,) * ndim}}
"""Settings that leave nothing out, for exact results."""
every_segmenter = pytest.mark.parametrize("name", SEGMENTERS)
both_dimensions = pytest.mark.parametrize("space", [(40, 50), (6, 20, 24)], ids=["2-D", "3-D"])


def affinities_of(labels, noise=0.0, seed=0):
    """True affinities of a label image, with noise."""
    true = label_affinities(torch.from_numpy(labels)[None].long(), OFFSETS[labels.ndim])[0][0].numpy()
    return (true + np.random.default_rng(seed).normal(0, noise, true.shape)).astype(np.float32)


def balls(space, count=9, radius=7.0, seed=0):
    """Balls around random centres, each pixel to the nearest centre: those that touch part there."""
    grid = np.stack(np.meshgrid(*map(np.arange, space), indexing="ij"), -1)
    centres = np.random.default_rng(seed).uniform(0, space, (count, len(space)))
    distances = np.linalg.norm(grid[..., None, :] - centres, axis=-1)
    return np.where(distances.min(-1) < radius, distances.argmin(-1) + 1, 0)


@st.composite
def pavements(draw):
    """Touching boxes, none too narrow for the shortest edge that repels, some of them missing."""
    ndim = draw(st.sampled_from([2, 3]))
    widths = [draw(st.lists(st.integers(4, 9), min_size=1, max_size=6 - ndim)) for _ in range(ndim)]
    numbers = np.arange(1, np.prod([len(each) for each in widths]) + 1).reshape([len(each) for each in widths])
    numbers[np.isin(numbers, list(draw(st.sets(st.integers(1, 16)))))] = 0
    for axis, each in enumerate(widths):
        numbers = numbers.repeat(each, axis)
    return numbers


@every_segmenter
@settings(max_examples=12)
@given(cells=pavements())
def test_true_affinities_give_the_true_cells(name, cells):
    exact = EVERY_PIXEL.get(name, lambda _: {})(cells.ndim)
    labels = SEGMENTERS[name](affinities_of(cells), OFFSETS[cells.ndim], cells > 0, **exact)
    scores = evaluate(labels, cells)
    assert scores["aji"] == scores["pq"] == 1
    assert scores["voi"] == 0


@every_segmenter
@both_dimensions
def test_noise_is_forgiven(name, space):
    cells = balls(space)
    labels = SEGMENTERS[name](affinities_of(cells, noise=0.15), OFFSETS[len(space)], cells > 0, minimum_size=15)
    scores = evaluate(labels, cells)
    assert scores["aji"] > 0.9, scores


@every_segmenter
@both_dimensions
def test_labels_are_consecutive_32_bit_and_cover_the_foreground(name, space):
    rng = np.random.default_rng(1)
    affinities = rng.random((len(OFFSETS[len(space)]), *space), np.float32)
    foreground = rng.random(space) > 0.4
    labels = SEGMENTERS[name](affinities, OFFSETS[len(space)], foreground)
    assert labels.dtype == np.uint32
    assert labels.shape == space
    np.testing.assert_array_equal(labels > 0, foreground)
    np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))
    assert SEGMENTERS[name](affinities, OFFSETS[len(space)]).min() == 1


@every_segmenter
@both_dimensions
def test_segments_are_connected(name, space):
    rng = np.random.default_rng(2)
    affinities = rng.random((len(OFFSETS[len(space)]), *space), np.float32)
    labels = SEGMENTERS[name](affinities, OFFSETS[len(space)], rng.random(space) > 0.3)
    pieces = [ndimage.label(labels == number)[1] for number in range(1, labels.max() + 1)]
    assert set(pieces) == {1}


@every_segmenter
@both_dimensions
def test_small_fragments_are_absorbed_or_vanish(name, space):
    cells = balls(space)
    affinities, offsets = affinities_of(cells, noise=0.5), OFFSETS[len(space)]
    whole = SEGMENTERS[name](affinities, offsets, cells > 0)
    labels = SEGMENTERS[name](affinities, offsets, cells > 0, minimum_size=40)
    sizes = np.bincount(whole.ravel())
    assert sizes[1:].min() < 40 <= np.bincount(labels.ravel())[1:].min()
    assert labels.max() == (sizes[1:] >= 40).sum(), "no large one vanishes, and no two become one"


@every_segmenter
@both_dimensions
def test_an_empty_foreground_has_no_instances(name, space):
    affinities = np.ones((len(OFFSETS[len(space)]), *space), np.float32)
    labels = SEGMENTERS[name](affinities, OFFSETS[len(space)], np.zeros(space, bool), minimum_size=3)
    assert labels.dtype == np.uint32
    assert labels.shape == space
    assert not labels.any()


@every_segmenter
@pytest.mark.parametrize("space", [(1, 1), (1, 200), (200, 1), (3, 2), (1, 1, 1), (1, 9, 30), (30, 1, 1)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_tiny_and_elongated_images(name, space, value):
    affinities = np.full((len(OFFSETS[len(space)]), *space), value, np.float32)
    for foreground in (None, np.ones(space, bool)):
        labels = SEGMENTERS[name](affinities, OFFSETS[len(space)], foreground)
        assert labels.min() == 1
        if value:
            assert labels.max() == 1


@every_segmenter
@both_dimensions
def test_arguments_stay_as_they_were_and_results_repeat(name, space):
    cells = balls(space)
    affinities, foreground = affinities_of(cells, noise=0.4), cells > 0
    before = affinities.copy()
    first = SEGMENTERS[name](affinities, OFFSETS[len(space)], foreground, minimum_size=5)
    np.testing.assert_array_equal(SEGMENTERS[name](affinities, OFFSETS[len(space)], foreground, minimum_size=5), first)
    np.testing.assert_array_equal(affinities, before)
    np.testing.assert_array_equal(foreground, cells > 0)


@every_segmenter
def test_affinities_outside_0_to_1_are_clipped(name):
    affinities = np.random.default_rng(0).normal(0.5, 0.6, (len(OFFSETS_2D), 40, 40)).astype(np.float32)
    affinities[0, 3, 3], affinities[5, 30, 30] = np.inf, -np.inf
    expected = SEGMENTERS[name](affinities.clip(0, 1), OFFSETS_2D)
    assert expected.max() > 2
    np.testing.assert_array_equal(SEGMENTERS[name](affinities, OFFSETS_2D), expected)


@every_segmenter
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8])
def test_other_number_types_and_orders_do(name, dtype):
    cells = balls((40, 50))
    affinities = affinities_of(cells)
    expected = SEGMENTERS[name](affinities, OFFSETS_2D, cells > 0)
    other = np.asfortranarray(affinities.astype(dtype))
    np.testing.assert_array_equal(SEGMENTERS[name](other, OFFSETS_2D, np.asfortranarray(cells > 0)), expected)
    listed = [list(offset) for offset in OFFSETS_2D]
    np.testing.assert_array_equal(SEGMENTERS[name](affinities, tuple(map(tuple, listed)), cells > 0), expected)


def at_nan():
    affinities = np.ones((10, 5, 5), np.float32)
    affinities[0, 4, 4] = np.nan
    return affinities


@every_segmenter
@pytest.mark.parametrize(
    ("affinities", "offsets", "foreground", "says"),
    [
        (at_nan(), OFFSETS_2D, None, "NaN"),
        (np.ones((9, 5, 5)), OFFSETS_2D, None, r"\(9, 5, 5\).*one offset per channel"),
        (np.ones((10, 4, 5, 5)), OFFSETS_2D, None, "3 numbers"),
        (np.ones((10, 5)), OFFSETS_2D, None, r"\(offsets, y, x\)"),
        (np.ones((10, 0, 5)), OFFSETS_2D, None, r"\(10, 0, 5\)"),
        (np.ones((10, 5, 5)), OFFSETS_2D, np.ones((5, 6), bool), r"\(5, 6\)"),
        (np.ones((10, 5, 5)), OFFSETS_2D, np.ones((5, 5)), "threshold"),
    ],
)
def test_mistakes_are_answered_in_one_line(name, affinities, offsets, foreground, says):
    with pytest.raises(UserError, match=says) as error:
        SEGMENTERS[name](affinities, offsets, foreground)
    assert "\n" not in str(error.value)


@every_segmenter
def test_the_settings_can_be_listed(name):
    parameters = list(inspect.signature(SEGMENTERS[name]).parameters.values())
    assert [item.name for item in parameters[:3]] == ["affinities", "offsets", "foreground"]
    assert all(item.kind is item.KEYWORD_ONLY and item.default is not item.empty for item in parameters[3:])
    assert "minimum_size" in {item.name for item in parameters}
