"""Percentile normalisation: definition, laws, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.errors import UserError
from segraft.images.normalisation import Normalisation

IMAGES = hnp.arrays(np.uint16, hnp.array_shapes(min_dims=3, max_dims=4, min_side=1, max_side=9))


@settings(max_examples=50, deadline=None)
@given(IMAGES)
def test_percentiles_go_to_zero_and_one_per_channel(image: np.ndarray) -> None:
    result = Normalisation()(image)
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
    assert Normalisation()(image)[0, 3, 3] == 1


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
