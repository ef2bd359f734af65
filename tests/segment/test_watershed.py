"""Watershed fragments: none crosses a boundary, all pixels of the foreground are in one, sections stay apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import cdist
from skimage.segmentation import watershed

from segraft.segment.watershed import boundary_map, dominant, seeds, watershed_fragments


def smooth(seed, shape, sigma=2.0):
    """Affinities like a network's: smooth, from 0 to 1."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), (0, *(sigma,) * (len(shape) - 1)))
    return ((noise - noise.min()) / (noise.max() - noise.min())).astype(np.float32)


@pytest.mark.parametrize("space", [(5, 7), (3, 5, 6)])
@pytest.mark.parametrize("worst", [False, True])
def test_the_boundary_map_pixel_by_pixel(space, worst):
    nearest = np.random.default_rng(0).random((len(space), *space), np.float32)
    found = boundary_map(nearest, worst)
    for p in np.ndindex(*space):
        y, x = p[-2:]
        up = nearest[-2][(*p[:-2], max(y, 1), x)]
        left = nearest[-1][(*p[:-2], y, max(x, 1))]
        assert found[p] == pytest.approx(1 - (min(up, left) if worst else (up + left) / 2), abs=1e-6)


def test_a_line_of_one_pixel_has_no_boundary_along_it():
    np.testing.assert_array_equal(boundary_map(np.zeros((2, 1, 1), np.float32)), 0)
    np.testing.assert_allclose(boundary_map(np.full((2, 1, 9), 0.5, np.float32), worst=True), 0.5)
    np.testing.assert_allclose(boundary_map(np.full((2, 1, 9), 0.5, np.float32)), 0.25)


@given(seed=st.integers(0, 10_000))
def test_the_foreground_is_covered_by_connected_fragments(seed):
    nearest = smooth(seed, (2, 30, 30))
    foreground = np.random.default_rng(seed).random((30, 30)) > 0.3
    fragments = watershed_fragments(nearest, foreground, 0.5)
    np.testing.assert_array_equal(fragments > 0, foreground)
    np.testing.assert_array_equal(np.unique(fragments), np.arange(fragments.max() + 1))
    assert all(ndimage.label(fragments == number)[1] == 1 for number in range(1, int(fragments.max()) + 1))


@given(seed=st.integers(0, 10_000), boundary=st.floats(0.3, 0.7))
def test_no_fragment_reaches_into_two_closed_rooms(seed, boundary):
    """Parts that boundary pixels separate have seeds of their own, so that they are never one fragment."""
    nearest = smooth(seed, (2, 40, 40))
    fragments = watershed_fragments(nearest, None, boundary)
    inside = boundary_map(nearest) < boundary
    parts, count = ndimage.label(inside, np.ones((3, 3)))
    places = seeds(inside)
    owners = [set(np.unique(fragments[(parts == part) & (places > 0)])) for part in range(1, count + 1)]
    assert all(owners)
    assert sum(map(len, owners)) == len(set().union(*owners)) == (places > 0).sum()


def test_sections_are_those_of_each_plane_with_ids_of_their_own():
    nearest = smooth(3, (3, 6, 40, 40))
    foreground = np.random.default_rng(1).random(nearest.shape[1:]) > 0.1
    foreground[2] = False
    fragments = watershed_fragments(nearest, foreground, 0.5)
    np.testing.assert_array_equal(np.unique(fragments), np.arange(fragments.max() + 1))
    last = 0
    for z, plane in enumerate(fragments):
        alone = watershed_fragments(nearest[1:, z], foreground[z], 0.5)
        np.testing.assert_array_equal(plane, np.where(alone, alone + np.uint64(last), 0))
        last += int(alone.max())


def test_two_rooms_with_a_wall_as_scikit_image_floods_them():
    nearest = np.full((2, 21, 41), 0.95, np.float32)
    nearest[:, :, 19] = 0.1  # a wall, whose left side is the weaker one
    nearest[1, :, 20] = 0.2
    fragments = watershed_fragments(nearest, None, 0.5)
    places = seeds(boundary_map(nearest) < 0.5)
    sides = [set(np.unique(fragments[:, :19])), set(np.unique(fragments[:, 20:]))]
    assert not sides[0] & sides[1]
    flooded = watershed(boundary_map(nearest), places.astype(int))
    joined = [np.isin(labels, list(sides[0])) for labels in (fragments, flooded)]
    np.testing.assert_array_equal(np.delete(joined[0], [19], 1), np.delete(joined[1], [19], 1))


@given(seed=st.integers(0, 10_000), count=st.integers(1, 40))
def test_dominant_points_are_those_of_the_library(seed, count):
    from bioimage_cpp.distance import non_maximum_distance_suppression

    rng = np.random.default_rng(seed)
    points = np.argwhere(rng.permutation(900).reshape(30, 30) < count)
    distances = np.zeros((30, 30), np.float32)
    distances[tuple(points.T)] = rng.permutation(count) / 5 + 0.1  # no two alike
    radii = distances[tuple(points.T)]
    found = dominant(points, radii)
    expected = non_maximum_distance_suppression(distances, points)
    assert {*map(tuple, found)} == {*map(tuple, expected)}
    near = cdist(points, points) <= radii[:, None]
    best = np.where(near, radii, -1).argmax(1)
    assert {*map(tuple, found)} == {*map(tuple, points[np.unique(best)])}


def test_there_is_a_seed_in_each_disc_and_none_outside():
    y, x = np.mgrid[:40, :60]
    inside = ((y - 20) ** 2 + (x - 15) ** 2 < 150) | ((y - 20) ** 2 + (x - 45) ** 2 < 100)
    places = seeds(inside)
    assert set(map(tuple, np.argwhere(places))) == {(20, 15), (20, 45)}
    assert not seeds(np.zeros((4, 4), bool)).any()
