"""What an image shows: the range of its grey values does not follow what lies beside it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from segraft.images.signal import measure, shows, together
from segraft.images.survey import BLOCK

SIDE = 256
OFFSET, NOISE, CELLS = 400, 20.0, 3200
Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def field(seed: int = 0) -> np.ndarray:
    """Cells of 20 pixels on a camera's offset and noise, uint16."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    cells = np.hypot(rows % 32 - 16, columns % 32 - 16) < 10
    clean = gaussian_filter(CELLS * cells.astype(float), 1) + OFFSET
    return rng.normal(clean, NOISE).astype(np.uint16)


def debris(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image[100:114, 60:73] = 20_000  # 0.28 % of the image
    return image


def hot(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image[tuple(rng.integers(0, SIDE, (2, 300)))] = 60_000
    return image


def bar(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image[-14:-10, -110:-12] = 65_535  # 0.6 % of the image
    return image


def in_empty_field(image: np.ndarray, rng: np.random.Generator, side: int = 1024) -> np.ndarray:
    empty = rng.normal(OFFSET, NOISE, (side, side)).astype(np.uint16)
    empty[300 : 300 + SIDE, 300 : 300 + SIDE] = image
    return empty


def in_black(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    black = np.zeros((500, 500), np.uint16)
    black[100 : 100 + SIDE, 90 : 90 + SIDE] = image
    return black


def in_white(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    white = np.full((500, 500), 65_535, np.uint16)
    white[100 : 100 + SIDE, 90 : 90 + SIDE] = image
    return white


@pytest.mark.parametrize("change", [debris, hot, bar, in_empty_field, in_black, in_white])
def test_what_lies_beside_does_not_set_the_range(change: Change) -> None:
    low, high = measure(field()).range()
    begin, end = measure(change(field(), np.random.default_rng(1))).range()
    assert abs(begin - low) < 0.02 * (high - low)
    assert abs(end - high) < 0.05 * (high - low)


@pytest.mark.parametrize("kind", [np.uint32, np.int64, np.float32, np.float64, ">u2"])
def test_the_type_of_the_pixels_does_not_matter(kind: type) -> None:
    dots = np.zeros((SIDE, SIDE), np.uint8)
    dots[4::32, 4::32] = dots[4::32, 5::32] = 200
    photons = np.random.default_rng(0).poisson(0.1, (SIDE, SIDE)).astype(np.uint8)
    for image in (field(), dots, photons, (field() > 1000).astype(np.uint8)):
        assert measure(image.astype(kind)).range() == measure(image).range()
        assert shows(image.astype(kind)) == shows(image)


def test_small_spots_on_nothing_are_seen() -> None:
    spots = np.zeros((SIDE, SIDE), np.float32)
    for shift in range(3):
        spots[4::32, 4 + shift :: 32] = spots[5::32, 4 + shift :: 32] = 200
    low, high = measure(spots).range()
    assert low == 0
    assert 0 < high <= 200


def test_a_picture_in_black_and_white_has_its_two_values_for_ends() -> None:
    assert measure(field() > 1000).range() == (0, 1)
    assert shows(field() > 1000)


def test_the_range_is_that_of_background_and_cells() -> None:
    low, high = measure(field()).range()
    assert OFFSET - 3 * NOISE < low < OFFSET
    assert OFFSET + CELLS < high < OFFSET + CELLS + 3 * NOISE


def test_three_cells_in_a_large_field_are_found() -> None:
    image = np.random.default_rng(0).normal(OFFSET, NOISE, (2048, 2048))
    rows, columns = np.mgrid[:2048, :2048]
    for centre in (300, 1000, 1700):
        image[np.hypot(rows - centre, columns - centre) < 12] += CELLS
    low, high = measure(image.astype(np.uint16)).range()
    assert low < OFFSET
    assert high > OFFSET + CELLS / 2


def test_a_background_set_to_zero_is_no_padding() -> None:
    image = np.maximum(field().astype(int) - OFFSET - 5 * int(NOISE), 0).astype(np.uint16)
    low, high = measure(image).range()
    assert low == 0
    assert high > CELLS / 2


def test_objects_larger_than_blocks_on_zero_are_no_field_in_padding() -> None:
    rows, columns = np.mgrid[:1024, :1024]
    discs = np.hypot(rows % 512 - 256, columns % 512 - 256) < 180
    noise = np.random.default_rng(0).normal(0, 20, discs.shape)
    image = np.maximum(gaussian_filter(2000.0 * discs, 4) + noise * discs, 0)
    image[image < 30] = 0
    assert measure(image.astype(np.uint16)).range()[0] == 0


def test_one_object_on_black_beside_a_hot_pixel() -> None:
    image = np.zeros((1024, 1024), np.uint16)
    image[100:112, 200:212], image[500, 500] = 1500, 60_000
    assert measure(image).range() == (0, 1500)


@pytest.mark.parametrize(
    "noise",
    [
        lambda rng: rng.normal(100, 10, (SIDE, SIDE)).astype(np.uint16),
        lambda rng: rng.poisson(3, (SIDE, SIDE)).astype(np.uint16),
        lambda rng: rng.poisson(0.5, (SIDE, SIDE)).astype(np.float32),
        lambda rng: rng.normal(100, 10, (SIDE, SIDE)),
        lambda rng: gaussian_filter(rng.normal(0, 50, (SIDE, SIDE)), 1) + 300,
        lambda rng: np.full((SIDE, SIDE), 7),
    ],
    ids=["camera", "photons", "few photons", "floats", "smoothed", "constant"],
)
def test_noise_stays_dark(noise: Callable[[np.random.Generator], np.ndarray]) -> None:
    image = noise(np.random.default_rng(0))
    low, high = measure(image).range()
    assert not shows(image)
    if low < high:
        assert (image.mean() - low) / (high - low) < 0.35
        assert image.std() / (high - low) < 0.1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3 * BLOCK), st.integers(1, 3 * BLOCK), st.integers(0, 2**32 - 1))
def test_an_image_of_any_size_has_a_range_within_its_values_or_is_noise(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 200, (height, width), dtype=np.uint8)
    blocks = measure(image)
    low, high = blocks.range()
    assert image.min() <= low <= high
    assert high <= image.max() or not blocks.signal


def test_planes_of_a_volume_count_together() -> None:
    planes = [field(seed) for seed in range(3)]
    volume, one_by_one = measure(np.stack(planes)), together([measure(plane) for plane in planes])
    assert volume.range() == one_by_one.range()
