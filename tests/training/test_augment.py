"""Geometry moves image and labels together; intensity leaves everything but grey values alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from segraft.errors import UserError
from segraft.labels.check import UNKNOWN
from segraft.training import augment, transforms
from segraft.training.augment import INTENSITY, VOLUMES_ONLY, apply_intensity, check_names
from segraft.training.transforms import GEOMETRY, Transform, apply_geometry, draw_geometry

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.integers(1, 6), st.integers(1, 24), st.integers(1, 24)),
)


@pytest.fixture
def always(monkeypatch):
    """Every named transform is applied every time."""
    monkeypatch.setattr(transforms, "WARP_CHANCE", 1.0)
    monkeypatch.setattr(transforms, "MISALIGN_CHANCE", 1.0)
    monkeypatch.setattr(augment, "INTENSITY_CHANCE", 1.0)
    monkeypatch.setattr(augment, "CHANCES", {})


def named(registry, ndim):
    """All names of a registry that images of so many dimensions take."""
    return tuple(name for name in registry if ndim == 3 or name not in VOLUMES_ONLY)


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


@pytest.mark.parametrize("names", [("rotate",), ("scale",), ("elastic",), tuple(GEOMETRY)[:5], tuple(GEOMETRY)])
@pytest.mark.parametrize("shape", [(96, 64), (2, 64, 96)])
def test_image_and_labels_move_together(always, names, shape):
    names = named(names, len(shape))
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
        inner &= moved != UNKNOWN
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
        assert np.abs(displacement).max() <= transforms.ELASTIC_AMPLITUDE
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
    geometry = draw_geometry(named(GEOMETRY, len(patch)), rng, patch)
    start = [int(rng.integers(min(0, n - p), max(0, n - p) + 1)) for n, p in zip(extent, patch, strict=True)]
    warped, moved = apply_geometry(geometry, image, labels, start, patch)
    assert set(np.unique(moved)) <= {UNKNOWN, *np.unique(labels)}
    assert warped.min() >= image.min() - 1e-5
    assert warped.max() <= image.max() + 1e-5


def test_sections_of_a_volume_do_not_mix(always):
    labels = np.broadcast_to(np.arange(1, 7)[:, None, None], (6, 50, 50))
    geometry = draw_geometry(("rotate", "scale", "elastic"), np.random.default_rng(0), (4, 20, 20))
    image, moved = apply_geometry(geometry, labels[None].astype(np.float32), labels, (1, 15, 15), (4, 20, 20))
    assert np.allclose(image[0], labels[1:5, :20, :20])
    assert np.array_equal(moved, labels[1:5, :20, :20])


@pytest.mark.parametrize(
    ("name", "shape"),
    [(name, shape) for shape in ((1, 32, 32), (3, 4, 16, 16), (2, 1, 1)) for name in named(INTENSITY, len(shape) - 1)],
)
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
    for shape in ((1, 8, 8), (1, 3, 8, 8)):
        names = named(INTENSITY, len(shape) - 1)
        changed = apply_intensity(names, np.zeros(shape, np.float32), np.random.default_rng(0))
        assert np.isfinite(changed).all()


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 9, 16, 16)])
def test_the_order_of_names_does_not_matter(always, shape):
    image = np.random.default_rng(1).random(shape).astype(np.float32)
    names = named(INTENSITY, len(shape) - 1)
    one = apply_intensity(names, image, np.random.default_rng(5))
    other = apply_intensity(names[::-1], image, np.random.default_rng(5))
    assert np.array_equal(one, other)
    moves = named(GEOMETRY, len(shape) - 1)
    one = draw_geometry(moves, np.random.default_rng(5), shape[1:])
    other = draw_geometry(moves[::-1], np.random.default_rng(5), shape[1:])
    for name, value in vars(one).items():
        assert np.array_equal(value, getattr(other, name)), name


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(UserError, match="flip, rotate90"):
        check_names(("flop",), (), 2)
    with pytest.raises(UserError, match="blur, defocus, gamma"):
        check_names((), ("blurr",), 3)


@pytest.mark.parametrize("name", VOLUMES_ONLY)
def test_what_needs_sections_is_refused_in_two_dimensions(name):
    rng = np.random.default_rng(0)
    image = np.zeros((1, 8, 8), np.float32)
    apply = (
        (lambda: draw_geometry([name], rng, (8, 8)))
        if name in GEOMETRY
        else lambda: apply_intensity([name], image, rng)
    )
    with pytest.raises(UserError, match=f"{name}.* 2-D images, expected volumes"):
        apply()
    moves, changes = ([name] if name in registry else [] for registry in (GEOMETRY, INTENSITY))
    check_names(moves, changes, 3)
    with pytest.raises(UserError, match="omit it"):
        check_names(moves, changes, 2)


def test_flips_reach_z_and_turns_stay_in_plane():
    ramp = np.broadcast_to(np.arange(4)[:, None, None], (4, 5, 5))
    seen = set()
    for seed in range(40):
        geometry = draw_geometry(("flip", "rotate90"), np.random.default_rng(seed), (4, 5, 5))
        _, moved = apply_geometry(geometry, ramp[None], ramp, (0, 0, 0), (4, 5, 5))
        assert all(len(np.unique(section)) == 1 for section in moved)
        seen.add(tuple(moved[:, 0, 0].tolist()))
    assert seen == {(0, 1, 2, 3), (3, 2, 1, 0)}


def test_misaligned_sections_are_one_or_all_later_ones_by_a_few_pixels(always):
    kinds, sections, largest = set(), set(), 0
    for seed in range(300):
        shifts = draw_geometry(("misalign",), np.random.default_rng(seed), (6, 20, 20)).shifts
        moved = np.flatnonzero(shifts.any(axis=1)).tolist()
        largest = max(largest, np.abs(shifts).max())
        if not moved:
            continue  # one in a thousand: no pixel either way
        assert len(np.unique(shifts[moved], axis=0)) == 1
        assert moved in ([moved[0]], list(range(moved[0], 6)))
        kinds.add(len(moved) == 1)
        sections.add(moved[0])
    assert kinds == {True, False}
    assert sections == {1, 2, 3, 4, 5}
    assert largest == transforms.MISALIGN_PIXELS


def test_a_single_section_can_be_misaligned_too(always):
    assert draw_geometry(("misalign",), np.random.default_rng(0), (1, 20, 20)).shifts.shape == (1, 2)


@given(SEEDS, st.booleans())
@settings(max_examples=40, deadline=None)
def test_misaligned_sections_come_from_the_larger_volume_and_are_unknown_beyond_it(seed, turn):
    rng = np.random.default_rng(seed)
    extent, shape = (5, 30, 26), (4, 14, 9)
    volume = rng.permutation(int(np.prod(extent))).reshape(extent)
    shifts = rng.integers(-9, 10, (4, 2))
    start = [int(rng.integers(0, n - s + 1)) for n, s in zip(extent, shape, strict=True)]
    geometry = Transform(shifts=shifts, turns=int(turn), flips=(turn, False, False))
    patch = (4, 9, 14) if turn else shape
    image, labels = apply_geometry(geometry, volume[None].astype(np.float32), volume, start, patch)
    if turn:  # undone: mirrored in z, and the plane turned back
        image, labels = (np.rot90(array[..., ::-1, :, :], -1, axes=(-2, -1)) for array in (image, labels))
    for n, y, x in np.ndindex(shape):
        z, row, column = start[0] + n, start[1] + y + shifts[n, 0], start[2] + x + shifts[n, 1]
        inside = 0 <= row < extent[1] and 0 <= column < extent[2]
        assert labels[n, y, x] == (volume[z, row, column] if inside else UNKNOWN)
        mirrored = min(abs(row), 2 * (extent[1] - 1) - row), min(abs(column), 2 * (extent[2] - 1) - column)
        assert image[0, n, y, x] == volume[z][mirrored]


def test_a_warp_follows_the_shifts(always):
    rng = np.random.default_rng(4)
    shape, start = (4, 24, 30), (1, 60, 55)
    image = rng.random((1, 6, 140, 140)).astype(np.float32)
    labels = rng.integers(1, 9, image.shape[1:])
    geometry = draw_geometry(("rotate", "elastic", "misalign"), rng, shape)
    warped, moved = apply_geometry(geometry, image, labels, start, shape)
    for n, (dy, dx) in enumerate(geometry.shifts):
        at = geometry.positions(shape[1:]) + np.array([start[1] + dy, start[2] + dx])[:, None, None]
        assert np.allclose(warped[0, n], map_coordinates(image[0, start[0] + n], at, order=1), atol=1e-4)
        y, x = np.rint(at).astype(int)
        assert (moved[n] == labels[start[0] + n][y, x]).mean() > 0.99  # halves may round either way


@pytest.fixture
def noisy_volume():
    return np.random.default_rng(2).random((2, 40, 16, 18)).astype(np.float32)


def changed_sections(before, after):
    """Sections that changed, the same ones in every channel."""
    changed = (before != after).any(axis=(-2, -1))
    assert (changed == changed[0]).all()
    return np.flatnonzero(changed[0])


def test_missing_sections_are_blank_and_few(always, noisy_volume):
    counts, greys = [], []
    for seed in range(60):
        result = apply_intensity(("missing",), noisy_volume, np.random.default_rng(seed))
        lost = changed_sections(noisy_volume, result)
        assert (result[:, lost] == result[:1, lost, :1, :1]).all()
        counts.append(len(lost))
        greys.extend(result[0, lost, 0, 0].tolist())
    assert min(counts) >= 1
    assert np.mean(counts) == pytest.approx(1 + 39 * augment.SECTION_CHANCE, abs=0.6)
    assert np.mean(np.array(greys) == 0) == pytest.approx(0.5, abs=0.15)
    assert 0 <= min(greys) < 0.9 < max(greys) <= 1


def test_sections_out_of_focus_are_blurred_and_the_others_are_not(always, noisy_volume, monkeypatch):
    monkeypatch.setattr(augment, "DEFOCUS", (2.0, 2.0))
    result = apply_intensity(("defocus",), noisy_volume, np.random.default_rng(1))
    blurred = changed_sections(noisy_volume, result)
    assert 1 <= len(blurred) < 20
    for channel, section in np.ndindex(2, 40):
        expected = noisy_volume[channel, section]
        if section in blurred:
            expected = gaussian_filter(expected, 2.0, truncate=3)
        assert np.allclose(result[channel, section], expected, atol=1e-6)


def test_sections_differ_in_contrast_and_brightness(always, noisy_volume):
    result = apply_intensity(("sections",), noisy_volume, np.random.default_rng(1))
    contrasts = set()
    for before, after in zip(noisy_volume.reshape(80, -1), result.reshape(80, -1), strict=True):
        slope, offset = np.polyfit(before - before.mean(), after - before.mean(), 1)
        assert np.allclose(after, slope * (before - before.mean()) + before.mean() + offset, atol=1e-4)
        assert augment.SECTION_CONTRAST[0] - 1e-3 <= slope <= augment.SECTION_CONTRAST[1] + 1e-3
        assert abs(offset) <= augment.SECTION_BRIGHTNESS + 1e-3
        contrasts.add(round(float(slope), 5))
    assert len(contrasts) > 70


@pytest.mark.parametrize("scales", [(0.5, 2.0), (1.5, 1.5), (0.8, 1.25)])
def test_magnifications_stay_between_the_scales(scales, always):
    factors = []
    for seed in range(200):
        drawn = draw_geometry(("scale",), np.random.default_rng(seed), (32, 32), scales)
        factors.append(1 / drawn.matrix[0, 0])
    assert scales[0] - 1e-6 <= min(factors) <= max(factors) <= scales[1] + 1e-6
    if scales[0] < scales[1]:
        assert min(factors) < scales[0] * 1.1
        assert max(factors) > scales[1] / 1.1
