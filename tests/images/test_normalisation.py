"""Normalisation: percentiles as defined, laws of either measure, series, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.errors import UserError
from segraft.images.normalisation import Normalisation, Scale, SharedScale, Unlike

IMAGES = hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=9))


@settings(max_examples=50, deadline=None)
@given(IMAGES)
def test_percentiles_go_to_zero_and_one_per_channel(image: np.ndarray) -> None:
    result = Normalisation((1.0, 99.8), compressed=False)(image)
    assert result.dtype == np.float32
    assert result.shape == image.shape
    for channel, scaled in zip(image.astype(np.float64), result, strict=True):
        low, high = np.percentile(channel, (1, 99.8))
        expected = np.maximum((channel - low) / (high - low), 0) if high > low else np.zeros(channel.shape)
        if low < high or channel.min() == channel.max():
            np.testing.assert_allclose(scaled, expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=25, deadline=None)
@given(IMAGES, st.floats(0.01, 100), st.floats(-1000, 1000))
def test_gain_and_offset_of_the_camera_do_not_matter(image: np.ndarray, gain: float, offset: float) -> None:
    normalise = Normalisation((0.0, 100.0))
    np.testing.assert_allclose(normalise(image * gain + offset), normalise(image), atol=1e-4)


def test_constant_channels_become_zeros_and_leave_the_others_alone() -> None:
    image = np.stack([np.full((5, 5), 7), np.arange(25).reshape(5, 5)])
    result = Normalisation((0.0, 100.0))(image)
    assert not result[0].any()
    assert result[1].max() == 1


def test_few_bright_pixels_on_black_are_scaled_by_the_extremes() -> None:
    image = np.zeros((1, 100, 100), np.uint8)
    image[0, 3, 3] = 200
    assert Normalisation((1.0, 99.8))(image)[0, 3, 3] == 1


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.uint32, np.int64, np.float16, np.float32, np.float64])
def test_every_real_type_is_taken(dtype: type) -> None:
    image = (np.arange(16).reshape(1, 4, 4) % 2).astype(dtype)
    np.testing.assert_array_equal(Normalisation((0.0, 100.0))(image), image.astype(np.float32))


def test_wide_integers_keep_their_contrast() -> None:
    image = np.arange(16, dtype=np.uint32).reshape(1, 4, 4) + 4_000_000_000
    np.testing.assert_allclose(Normalisation((0.0, 100.0))(image), np.arange(16).reshape(1, 4, 4) / 15, rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_counted_and_refused(value: float) -> None:
    image = np.zeros((1, 4, 4))
    image[0, 0, :2] = value
    with pytest.raises(UserError, match=r"cell\.tif: got 2 of 16 pixels"):
        Normalisation()(image, "cell.tif")


def test_complex_images_are_refused() -> None:
    with pytest.raises(UserError, match="complex128"):
        Normalisation()(np.zeros((1, 2, 2), complex))


@pytest.mark.parametrize(
    ("low", "high"), [(-1.0, 50.0), (50.0, 50.0), (60.0, 50.0), (1.0, 101.0), (float("nan"), 50.0)]
)
def test_percentiles_out_of_order_are_refused(low: float, high: float) -> None:
    with pytest.raises(UserError, match="expected 0 <= low < high <= 100"):
        Normalisation((low, high))


def test_what_is_too_bright_is_compressed_and_keeps_its_order() -> None:
    scale = Scale(((100.0, 200.0),), compressed=True)
    scaled = scale(np.array([[[0, 100, 150, 200, 300, 20_000]]]))[0, 0]
    np.testing.assert_allclose(scaled, [0, 0, 0.5, 1, 1 + np.log(2), 1 + np.log(199)], rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 50), st.floats(-500, 500))
def test_gain_and_offset_do_not_matter_to_what_an_image_shows(seed: int, gain: float, offset: float) -> None:
    image = np.random.default_rng(seed).normal(size=(1, 70, 90))
    image[0, 20:40, 10:50] += 20
    np.testing.assert_allclose(Normalisation()(image * gain + offset), Normalisation()(image), atol=1e-4)


@pytest.mark.parametrize("percentiles", [None, (1.0, 99.8)])
def test_a_series_of_one_image_has_its_scale(percentiles: tuple[float, float] | None) -> None:
    image = np.random.default_rng(0).integers(0, 4000, (2, 64, 64), dtype=np.uint16)
    series = SharedScale(Normalisation(percentiles))
    series.add(image)
    assert series.scale() == Normalisation(percentiles).scale(image)


@pytest.mark.parametrize("percentiles", [None, (1.0, 99.8)])
def test_a_series_lies_between_its_images(percentiles: tuple[float, float] | None) -> None:
    rng = np.random.default_rng(0)
    halves = np.arange(64) % 16 < 8
    dim, bright = (level * (1 + halves) + rng.random((1, 64, 64)) for level in (10, 100))
    series = SharedScale(Normalisation(percentiles))
    for image in (dim, bright):
        series.add(image)
    ((low, high),) = series.scale().ranges
    assert dim.min() <= low < 30
    assert 100 < high <= bright.max()


def test_a_series_of_unlike_images_is_refused_with_both_names() -> None:
    series = SharedScale(Normalisation())
    series.add(np.zeros((1, 4, 4), np.uint8), "a.png")
    with pytest.raises(Unlike, match=r"1 channels of uint8 \(a\.png\) and 1 of uint16 \(b\.tif\)"):
        series.add(np.zeros((1, 4, 4), np.uint16), "b.tif")


def test_a_series_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="no image that can be read"):
        SharedScale(Normalisation()).scale()
