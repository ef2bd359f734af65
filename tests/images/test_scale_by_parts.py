"""The scale of an image measured part by part is that of the whole in memory."""

from __future__ import annotations

import io
import itertools
import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from segraft.errors import UserError
from segraft.images import scale_by_parts, survey
from segraft.images.normalisation import Normalisation, Scale
from segraft.images.scale_by_parts import SAMPLE, measure_part, scale_of_parts
from segraft.images.windows import Window
from shared.messages import one_line

ROBUST = Normalisation()
PERCENTILES = Normalisation((1.0, 99.8), compressed=False)
KINDS = ("uint8", "uint16", "int16", "int32", "uint32", "bool")


def grid(space: tuple[int, ...], part: tuple[int, ...]) -> Iterator[Window]:
    """Regions that cover an image."""
    starts = (range(0, size, side) for size, side in zip(space, part, strict=True))
    for place in itertools.product(*starts):
        yield tuple(slice(start, min(size, start + side)) for start, side, size in zip(place, part, space, strict=True))


def stored(part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A part written to a file and read again."""
    file = io.BytesIO()
    np.savez(file, **part)  # type: ignore[arg-type]
    file.seek(0)
    return dict(np.load(file))


def by_parts(image: np.ndarray, part: tuple[int, ...], normalisation: Normalisation, turned: bool = False) -> Scale:
    """The scale of an image ``(C, *space)`` from its parts."""
    space = image.shape[1:]
    parts = [
        stored(measure_part(lambda window: image[:, *window], region, space, normalisation))
        for region in grid(space, part)
    ]
    return scale_of_parts(lambda: parts[::-1] if turned else parts, normalisation)


@st.composite
def images(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS) -> tuple[np.ndarray, tuple[int, ...]]:
    """Images ``(C, *space)``: noise, smooth fields, sparse spots and constant planes, often with padding; and parts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ndim = draw(st.integers(2, 3))
    plane = [draw(st.integers(1, 150)) for _ in range(2)]
    space = (*([draw(st.integers(1, 3))] if ndim == 3 else []), *plane)
    image = rng.normal(100, draw(st.sampled_from([0, 1, 10, 60])), (draw(st.integers(1, 2)), *space))
    if draw(st.booleans()):
        image += 3000 * gaussian_filter(rng.random(image.shape), [0] * (ndim - 1) + [3, 3])
    image[rng.random(image.shape) < draw(st.sampled_from([0, 0.0005]))] = 20_000
    if draw(st.booleans()):
        image[:, ..., : int(rng.integers(plane[1] + 1))] = draw(st.sampled_from([0, 255]))
        image[:, ..., int(rng.integers(plane[0] + 1)) :, :] = draw(st.sampled_from([0, 255]))
    if ndim == 3 and draw(st.booleans()):
        image[:, 0] = 7
    image = np.clip(image, *draw(st.sampled_from([(0, 255), (90, 110), (0, 30_000)])))
    kind = draw(st.sampled_from(kinds))
    image = image > 100 if kind == "bool" else np.clip(image, 0, 255 if kind == "uint8" else None).astype(kind)
    return image, tuple(draw(st.integers(1 + size // 4, size + 3)) for size in space)


@settings(max_examples=60, deadline=None)
@given(images(), st.booleans())
def test_the_scale_of_integers_is_that_of_the_whole(case: tuple[np.ndarray, tuple[int, ...]], turned: bool) -> None:
    image, part = case
    whole = ROBUST.scale(image)
    event(f"signal: {whole.signal}")
    assert by_parts(image, part, ROBUST, turned) == whole


@settings(max_examples=30, deadline=None)
@given(images(), st.tuples(st.floats(0, 49), st.floats(51, 100)))
def test_percentiles_of_integers_are_those_of_the_whole(
    case: tuple[np.ndarray, tuple[int, ...]], percentiles: tuple[float, float]
) -> None:
    image, part = case
    normalisation = Normalisation(percentiles)
    assert by_parts(image, part, normalisation) == normalisation.scale(image)


@settings(max_examples=30, deadline=None)
@given(images(("float16", "float32", "float64")), st.sampled_from([ROBUST, PERCENTILES]))
def test_floats_have_the_scale_of_the_whole_while_no_pixel_is_left_out(
    case: tuple[np.ndarray, tuple[int, ...]], normalisation: Normalisation
) -> None:
    image, part = case
    assert by_parts(image, part, normalisation) == normalisation.scale(image)


def turned_slide() -> np.ndarray:
    """A field on black, a row of blocks of which is mixed with it."""
    rng = np.random.default_rng(0)
    slide = np.zeros((300, 320), np.uint16)
    slide[50:240, 40:300] = rng.normal(400, 20, (190, 260)) + 2000 * (rng.random((190, 260)) < 0.3)
    return slide


@pytest.mark.parametrize("padding", [0, 65_535])
@pytest.mark.parametrize("part", [(64, 64), (50, 320), (300, 33), (19, 50)])
def test_padding_is_left_out_whatever_the_parts(padding: int, part: tuple[int, int]) -> None:
    slide = turned_slide()
    slide[slide == 0] = padding
    field = ROBUST.scale(slide[None, 50:240, 40:300])
    found = by_parts(slide[None], part, ROBUST)
    assert found == ROBUST.scale(slide[None])
    assert found.ranges[0] == pytest.approx(field.ranges[0], rel=0.02)


def test_many_blocks_are_thinned_in_memory_and_by_parts_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "MOST_BLOCKS", 40)
    image = np.stack([turned_slide()] * 3)[None]
    thinned = by_parts(image, (2, 100, 90), ROBUST)
    assert thinned == ROBUST.scale(image)
    monkeypatch.undo()
    assert thinned != ROBUST.scale(image)
    assert thinned.ranges[0] == pytest.approx(ROBUST.scale(image).ranges[0], rel=0.1)


def test_large_images_of_floats_are_sampled_evenly() -> None:
    image = np.random.default_rng(0).normal(0, 1, (1, 5, 1000, 1000)).astype(np.float32)
    assert image.size > SAMPLE
    found = by_parts(image, (2, 300, 1000), PERCENTILES)
    flat = image.reshape(1, -1)[:, ::2]
    assert found == PERCENTILES.scale(flat)
    assert found.ranges[0] == pytest.approx(PERCENTILES.scale(image).ranges[0], rel=0.01)


@settings(max_examples=40, deadline=None)
@given(images(("int32", "uint32", "int64", "uint16")), st.integers(1, 400), st.integers(1, 200), st.booleans())
def test_integers_are_counted_while_they_have_few_values_and_sampled_evenly_beyond(
    case: tuple[np.ndarray, tuple[int, ...]], most: int, sample: int, turned: bool
) -> None:
    """Whatever the parts. Those of 16 bits are always counted."""
    image, part = case
    with pytest.MonkeyPatch.context() as patch:
        if image.dtype != np.uint16:
            patch.setattr(scale_by_parts, "MOST", most)
        patch.setattr(scale_by_parts, "SAMPLE", sample)
        found = by_parts(image, part, PERCENTILES, turned)
    flat, every = image.reshape(len(image), -1), -(-image[0].size // sample)
    few = [image.dtype == np.uint16 or len(np.unique(channel)) <= most for channel in flat]
    pixels = (channel[:: 1 if counted else every] for channel, counted in zip(flat, few, strict=True))
    assert found.ranges == tuple(PERCENTILES.scale(channel[None]).ranges[0] for channel in pixels)
    event(f"counted: {all(few)}")
    assert found.sampled == (None if all(few) or every == 1 else len(flat[0, ::every]))


def test_percentiles_of_sampled_integers_are_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their ranks differ by less than a tenth of a percent, also where few bright pixels spread the values."""
    rng = np.random.default_rng(0)
    image = (2**24 + 2**20 * gaussian_filter(rng.random((1, 1500, 1500)), (0, 3, 3))).astype(np.uint32)
    bright = rng.random(image.shape) < 0.01
    image[bright] = rng.integers(2**25, 2**32, bright.sum())
    monkeypatch.setattr(scale_by_parts, "SAMPLE", 2**18)
    monkeypatch.setattr(scale_by_parts, "MOST", 2**14)
    found = by_parts(image, (400, 500), PERCENTILES)
    assert found.sampled == image.size / 9
    for value, percentile in zip(found.ranges[0], (1.0, 99.8), strict=True):
        assert abs((image < value).mean() * 100 - percentile) < 0.1


def test_memory_does_not_grow_with_the_values_of_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale_by_parts, "SAMPLE", 2**16)
    monkeypatch.setattr(scale_by_parts, "MOST", 2**16)
    rng, space = np.random.default_rng(0), (64, 256, 256)
    sizes = []

    def parts() -> Iterator[dict[str, np.ndarray]]:
        for z in range(space[0]):
            pixels = rng.integers(0, 2**31, (1, 1, *space[1:]), np.int32)
            region = (slice(z, z + 1), slice(0, 256), slice(0, 256))
            part = measure_part(lambda _, pixels=pixels: pixels, region, space, PERCENTILES)
            sizes.append(sum(array.nbytes for array in part.values()))
            yield part

    tracemalloc.start()
    try:
        found = scale_of_parts(parts, PERCENTILES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.ranges[0] == pytest.approx((0.01 * 2**31, 0.998 * 2**31), rel=0.05)
    assert max(sizes) < 20 * 2**16
    assert peak < 25e6  # all values and their counts would take 50 MB


def test_what_is_stored_of_a_part_is_small() -> None:
    image = np.random.default_rng(0).normal(1000, 50, (1, 8, 512, 512)).astype(np.uint16)
    for normalisation, share in ((ROBUST, 0.05), (PERCENTILES, 0.02)):
        part = measure_part(
            lambda window: image[:, *window], (slice(0, 8), *[slice(0, 512)] * 2), (8, 2048, 2048), normalisation
        )
        assert sum(array.nbytes for array in part.values()) < share * image.nbytes


@pytest.mark.parametrize("normalisation", [ROBUST, PERCENTILES])
def test_pixels_without_a_number_are_told_with_their_place(normalisation: Normalisation) -> None:
    image = np.zeros((1, 4, 90, 90), np.float32)
    image[0, 2, 70, 80] = np.nan
    measure_part(
        lambda window: image[:, *window], (slice(0, 4), slice(0, 32), slice(0, 90)), image.shape[1:], normalisation
    )
    region = (slice(0, 4), slice(64, 90), slice(0, 90))
    with pytest.raises(UserError, match=r"brain, z 0:4, y 64:90, x 0:90: got 1 of \d+ pixels that are NaN") as error:
        measure_part(lambda window: image[:, *window], region, image.shape[1:], normalisation, "brain")
    one_line(error)


def test_an_image_without_parts_has_no_scale() -> None:
    with pytest.raises(UserError, match="measure them first"):
        scale_of_parts(list, ROBUST)


def test_of_a_plane_of_even_blocks_the_first_one_counts() -> None:
    image = np.full((1, 64, 96), 3, np.uint8)
    image[..., 32:] = 9
    for turned in (False, True):
        assert by_parts(image, (32, 32), ROBUST, turned) == ROBUST.scale(image)
    assert ROBUST.scale(image).ranges == ((3, 3),)
