"""Geometry moves image and labels together; intensity leaves everything but grey values alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from segraft.data import augment
from segraft.data.augment import (
    GEOMETRY,
    INTENSITY,
    apply_geometry,
    apply_intensity,
    check_names,
    crop,
    draw_geometry,
)
from segraft.errors import UserError

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 6), st.integers(1, 24), st.integers(1, 24)),
)


@pytest.fixture
def always(monkeypatch):
    """Every named transform is applied every time."""
    monkeypatch.setattr(augment, "WARP_CHANCE", 1.0)
    monkeypatch.setattr(augment, "INTENSITY_CHANCE", 1.0)


def blocks(shape, size=16):
    """Label image of square blocks that go through all sections."""
    y, x = np.indices(shape[-2:]) // size
    return np.broadcast_to(1 + y * (1 + x.max()) + x, shape)


@given(SEEDS, SHAPES)
@settings(max_examples=60, deadline=None)
def test_exact_transforms_keep_every_value(seed, shape):
    rng = np.random.default_rng(seed)
    geometry = draw_geometry(("rotate90", "flip"), rng, shape)
    source = geometry.source_shape(shape)
    values = rng.permutation(int(np.prod(source))).reshape(source)
    image, labels = apply_geometry(geometry, values[None].astype(np.float32), values, (0,) * len(shape), shape)
    assert labels.shape == shape
    assert np.array_equal(image[0], labels)
    assert np.array_equal(np.sort(labels, axis=None), np.arange(labels.size))


def test_exact_transforms_reach_the_whole_square_group():
    square = np.arange(4).reshape(2, 2)
    seen = set()
    for seed in range(200):
        geometry = draw_geometry(("flip", "rotate90"), np.random.default_rng(seed), (2, 2))
        seen.add(geometry.turn(square).tobytes())
    assert len(seen) == 8


@pytest.mark.parametrize("names", [("rotate",), ("scale",), ("elastic",), tuple(GEOMETRY)])
@pytest.mark.parametrize("shape", [(96, 64), (2, 64, 96)])
def test_image_and_labels_move_together(always, names, shape):
    labels = blocks((*shape[:-2], 200, 200))
    image = labels[None].astype(np.float32)
    for seed in range(5):
        geometry = draw_geometry(names, np.random.default_rng(seed), shape)
        start = (0,) * (len(shape) - 2) + (60, 50)
        warped, moved = apply_geometry(geometry, image, labels, start, shape)
        assert warped.shape[1:] == moved.shape == shape
        # Where a pixel and its neighbours agree, linear and nearest interpolation must give the same.
        inner = np.ones(shape, bool)
        for axis in (-2, -1):
            for step in (-2, -1, 1, 2):
                inner &= np.roll(moved, step, axis) == moved
        inner &= moved != augment.UNKNOWN
        assert inner.mean() > 0.3
        assert np.allclose(warped[0][inner], moved[inner], atol=1e-3)


@pytest.mark.parametrize("name", ["rotate", "scale", "elastic"])
def test_a_warp_is_one_linear_resampling(always, name):
    rng = np.random.default_rng(3)
    image = rng.random((2, 120, 130)).astype(np.float32)
    geometry = draw_geometry((name,), rng, (32, 48))
    start = (40, 40)
    warped, _ = apply_geometry(geometry, image, np.ones(image.shape[1:], int), start, (32, 48))
    positions = geometry.positions((32, 48)) + np.array(start)[:, None, None]
    expected = [map_coordinates(channel, positions, order=1) for channel in image]
    assert np.allclose(warped, expected, atol=1e-4)


def test_scale_stays_in_its_range_and_about_the_centre(always):
    for seed in range(50):
        geometry = draw_geometry(("scale",), np.random.default_rng(seed), (33, 33))
        positions = geometry.positions((33, 33))
        assert np.allclose(positions[:, 16, 16], 16)
        step = positions[0, 1, 0] - positions[0, 0, 0]
        assert 0.8 - 1e-3 <= step <= 1.25 + 1e-3


def test_elastic_neither_folds_nor_wanders(always):
    for seed in range(30):
        positions = draw_geometry(("elastic",), np.random.default_rng(seed), (90, 130)).positions((90, 130))
        displacement = positions - np.indices((90, 130))
        assert np.abs(displacement).max() <= augment.ELASTIC_AMPLITUDE
        yy, yx = np.gradient(positions[0])
        xy, xx = np.gradient(positions[1])
        assert (yy * xx - yx * xy).min() > 0


@given(SEEDS, SHAPES, SHAPES)
@settings(max_examples=80, deadline=None)
def test_no_label_appears_and_no_grey_value_is_invented(seed, extent, patch):
    patch = patch[-2:] if len(extent) == 2 else (2, *patch[-2:])
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, extent)
    image = rng.random((1, *extent)).astype(np.float32)
    geometry = draw_geometry(tuple(GEOMETRY), rng, patch)
    start = [int(rng.integers(min(0, n - p), max(0, n - p) + 1)) for n, p in zip(extent, patch, strict=True)]
    warped, moved = apply_geometry(geometry, image, labels, start, patch)
    assert set(np.unique(moved)) <= {augment.UNKNOWN, *np.unique(labels)}
    assert warped.min() >= image.min() - 1e-5
    assert warped.max() <= image.max() + 1e-5


def test_sections_of_a_volume_do_not_mix(always):
    labels = np.broadcast_to(np.arange(1, 7)[:, None, None], (6, 50, 50))
    geometry = draw_geometry(("rotate", "scale", "elastic"), np.random.default_rng(0), (4, 20, 20))
    image, moved = apply_geometry(geometry, labels[None].astype(np.float32), labels, (1, 15, 15), (4, 20, 20))
    assert np.allclose(image[0], labels[1:5, :20, :20])
    assert np.array_equal(moved, labels[1:5, :20, :20])


@given(st.integers(1, 9), st.integers(-25, 25), st.integers(1, 30))
def test_crop_mirrors_the_image_and_marks_the_rest_unknown(extent, start, size):
    array = np.arange(extent)
    before, after = max(-start, 0), max(start + size - extent, 0)
    expected = np.pad(array, (before, after), mode="reflect")[start + before :][:size]
    assert np.array_equal(crop(array, [start], [size], None), expected)
    unknown = np.pad(array, (before, after), constant_values=-1)[start + before :][:size]
    assert np.array_equal(crop(array, [start], [size], -1), unknown)


@pytest.mark.parametrize("name", list(INTENSITY))
@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 4, 16, 16), (2, 1, 1)])
def test_intensity_changes_the_image_and_stays_finite(always, name, shape):
    rng = np.random.default_rng(0)
    image = rng.normal(0.5, 0.5, shape).astype(np.float32)
    before = image.copy()
    changed = apply_intensity((name,), image, rng)
    assert changed.dtype == np.float32
    assert changed.shape == shape
    assert np.isfinite(changed).all()
    assert np.array_equal(image, before)
    # One pixel has neither contrast nor anything to blur with.
    if name not in ("blur", "contrast") or image[0].size > 1:
        assert not np.array_equal(changed, image)


def test_intensity_of_a_constant_image_is_finite(always):
    changed = apply_intensity(tuple(INTENSITY), np.zeros((1, 8, 8), np.float32), np.random.default_rng(0))
    assert np.isfinite(changed).all()


def test_the_order_of_names_does_not_matter():
    image = np.random.default_rng(1).random((1, 16, 16)).astype(np.float32)
    one = apply_intensity(("noise", "blur", "gamma"), image, np.random.default_rng(5))
    other = apply_intensity(("gamma", "noise", "blur"), image, np.random.default_rng(5))
    assert np.array_equal(one, other)


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UserError, match="flip, rotate90"):
        check_names(("flop",), ())
    with pytest.raises(UserError, match="blur, gamma"):
        check_names((), ("blurr",))
