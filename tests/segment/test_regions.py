"""The region graph against a count of pixel pairs."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.segment.regions import join, region_graph


def borders(fragments, nearest):
    """Affinities across each border of two fragments, by their ids, pixel by pixel."""
    found = defaultdict(list)
    for axis, channel in enumerate(nearest):
        for p in np.ndindex(*fragments.shape):
            q = tuple(k - (axis == other) for other, k in enumerate(p))
            if min(q) >= 0 and 0 < fragments[p] != fragments[q] > 0:
                found[tuple(sorted((int(fragments[p]), int(fragments[q]))))].append(channel[p])
    return found


@pytest.mark.parametrize(("space", "offsets"), [((12, 13), OFFSETS_2D[:2]), ((4, 6, 7), OFFSETS_3D)])
@pytest.mark.parametrize("lowest", [0, 1])
def test_edges_means_and_sizes_by_counting(space, offsets, lowest):
    rng = np.random.default_rng(0)
    fragments = rng.integers(lowest, 8, space).astype(np.uint64)
    nearest = rng.random((len(space), *space), np.float32)
    regions, expected = region_graph(fragments, nearest, offsets), borders(fragments, nearest)
    assert [tuple(edge) for edge in regions.edges + 1] == sorted(expected)
    ordered = [expected[key] for key in sorted(expected)]
    np.testing.assert_allclose(regions.means, [np.mean(each) for each in ordered], rtol=1e-6)
    np.testing.assert_allclose(regions.maxima, [np.max(each) for each in ordered], rtol=1e-6)
    np.testing.assert_array_equal(regions.sizes, [len(each) for each in ordered])
    assert regions.graph.number_of_nodes == 7
    np.testing.assert_array_equal(regions.graph.uv_ids(), regions.edges)


def test_fragments_that_do_not_touch_have_no_edge():
    fragments = np.array([[1, 0, 2], [1, 0, 2]], np.uint64)
    assert not len(region_graph(fragments, np.ones((2, 2, 3), np.float32), OFFSETS_2D[:2]).edges)


def test_joined_groups_keep_the_background():
    fragments = np.array([[1, 0, 2], [3, 3, 2]], np.uint64)
    np.testing.assert_array_equal(join(fragments, np.array([5, 1, 5], np.uint64)), [[6, 0, 2], [6, 6, 2]])
