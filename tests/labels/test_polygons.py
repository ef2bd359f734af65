"""Which pixels lie inside polygons, against scikit-image, and which outlines cross themselves."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.draw import polygon2mask

from segraft.errors import UserError
from segraft.labels.polygons import CHUNK, check_ring, crossing, fill

SHAPE = (40, 48)
SQUARE = np.array([[1, 1], [5, 1], [5, 4], [1, 4]])


def star(seed: int, points: int) -> np.ndarray:
    """A ring around (24, 20) that does not cross itself, closed if ``seed`` is even."""
    rng = np.random.default_rng(seed)
    angle = (np.arange(points) + rng.uniform(0, 0.9, points)) * 2 * np.pi / points
    radius = rng.uniform(5, 28, points)
    ring = np.column_stack([24 + radius * np.cos(angle), 20 + radius * np.sin(angle)])
    return ring if seed % 2 else np.concatenate([ring, ring[:1]])


@given(st.integers(0, 10**6), st.integers(3, 30))
def test_inside_is_what_scikit_image_says_of_centres_half_a_pixel_on(seed: int, points: int) -> None:
    ring = star(seed, points)
    assert np.array_equal(fill([ring], SHAPE), polygon2mask(SHAPE, ring[:, ::-1] - 0.5))


@given(st.integers(0, 10**6))
def test_neighbours_share_no_pixel_and_leave_none_out(seed: int) -> None:
    """Slices of a cake whose edges may run through centres of pixels."""
    rng = np.random.default_rng(seed)
    corners = np.array([[0, 0], [48, 0], [48, 40], [0, 40], [0, 0]])
    middle = rng.integers(2, 78, 2) / 2
    covered = sum(fill([np.array([start, end, middle])], SHAPE).astype(int) for start, end in pairwise(corners))
    assert (covered == 1).all()


def test_corners_of_pixels_are_whole_numbers() -> None:
    inside = np.zeros((6, 7), bool)
    inside[1:4, 1:5] = True
    assert np.array_equal(fill([SQUARE], (6, 7)), inside)
    inside[2, 2:4] = False
    assert np.array_equal(fill([SQUARE, np.array([[2, 2], [4, 2], [4, 3], [2, 3]])], (6, 7)), inside)


@given(st.integers(0, 10**6), st.integers(3, 700))
def test_stars_do_not_cross_themselves(seed: int, points: int) -> None:
    assert crossing(star(seed, points)) is None


@pytest.mark.parametrize("points", [4, 3 * CHUNK])
def test_a_crossing_is_found(points: int) -> None:
    ring = star(1, points)
    ring[[1, 2]] = ring[[2, 1]] if points == 4 else [[60, 20], [-20, 21]]
    assert crossing(ring) is not None


def test_touching_is_no_crossing() -> None:
    corner = np.array([[0, 0], [2, 0], [2, 2], [4, 2], [4, 4], [2, 4], [2, 2], [0, 2]])
    spike = np.array([[0, 0], [4, 0], [4, 4], [2, 0], [0, 4]])
    back = np.array([[0, 0], [4, 0], [4, 4], [4, 6], [4, 4], [0, 4]])
    assert crossing(corner) is crossing(spike) is crossing(back) is None


@pytest.mark.parametrize(
    ("ring", "words"),
    [
        ([[0, 0], [4, 4], [4, 0], [0, 4]], "crosses itself"),
        ([[0, 0], [4, 4], [0, 0]], "2 different points"),
        (np.zeros((0, 2)), "0 different points"),
        ([[0, 0], [4, np.nan], [4, 0]], "no numbers"),
    ],
)
def test_rings_without_inside(ring: list[list[float]], words: str) -> None:
    with pytest.raises(UserError, match=words):
        check_ring(np.array(ring, float))
