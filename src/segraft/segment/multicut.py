"""Multicut of watershed fragments (Beier et al. 2017, https://doi.org/10.1038/nmeth.4151), plain and lifted."""

from __future__ import annotations

from functools import partial

import numpy as np

from segraft.segment.arguments import check, check_fraction, check_long, check_nearest, clipped
from segraft.segment.fragments import absorb
from segraft.segment.regions import RegionGraph, join, region_graph
from segraft.segment.watershed import watershed_fragments
from segraft.types import Offsets, Stored

CERTAIN = 1e-3
"""Least distance of probabilities from 0 and 1, where costs are infinite."""


def multicut(
    affinities: Stored,
    offsets: Offsets,
    foreground: np.ndarray | None = None,
    *,
    beta: float = 0.5,
    boundary: float = 0.5,
    worst: bool = False,
    thickness: float = 0.0,
    minimum_size: int = 0,
) -> np.ndarray:
    """Partition an image ``(*space)``, 2-D or 3-D, from affinities ``(N, *space)`` in [0, 1] (clipped to it).

    Cuts watershed fragments, in 3-D section by section, and joins them so that the costs of the edges cut between them
    (see ``edge_costs``) are least in sum, approximately, by Kernighan-Lin. Only the nearest offsets, the first one per
    axis, are used.

    Parameters
    ----------
    foreground : boolean ``(*space)``; confines the segments
    beta : bias of the boundaries, between 0 and 1; higher means more segments
    boundary : boundary probability from which on a pixel separates seeds; lower means more, smaller fragments
    worst : whether a pixel's boundary probability follows from the lower of its two affinities in plane, not their mean
    thickness : in pixels, in plane; segments that are nowhere thicker join the larger ones that they touch
    minimum_size : segments of fewer pixels join the larger ones that they touch, or vanish

    Returns consecutive ``uint32`` labels, 0 background. Raises ``UserError`` for NaN and for shapes, offsets and
    settings that do not fit.
    """
    return _segment(affinities, offsets, foreground, beta, boundary, worst, thickness, minimum_size, lifted=False)


def lifted_multicut(
    affinities: Stored,
    offsets: Offsets,
    foreground: np.ndarray | None = None,
    *,
    beta: float = 0.5,
    boundary: float = 0.5,
    worst: bool = False,
    thickness: float = 0.0,
    minimum_size: int = 0,
) -> np.ndarray:
    """As ``multicut``; the offsets beyond the nearest add costs between fragments that do not touch.

    Such a lifted edge costs when its ends are in different segments, but alone it connects nothing (Keuper et al.
    2015, https://arxiv.org/abs/1505.06973). Edges and lifted edges weigh the same in the mean. Raises ``UserError``
    also when there are no offsets beyond the nearest.
    """
    return _segment(affinities, offsets, foreground, beta, boundary, worst, thickness, minimum_size, lifted=True)


def edge_costs(means: np.ndarray, sizes: np.ndarray, beta: float) -> np.ndarray:
    """Cost of cutting each edge, positive where it attracts: ``w · (log((1 − p)/p) + log((1 − beta)/beta))``.

    ``p = 1 −`` mean affinity is the probability of a boundary (Beier et al. 2017), ``w`` the edge's size as part of
    the mean size. All arrays ``(edges,)``.
    """
    p, bias = (np.clip(value, CERTAIN, 1 - CERTAIN) for value in (1 - means, beta))
    return (np.log((1 - p) / p) + np.log((1 - bias) / bias)) * sizes / np.mean(sizes)


def _segment(
    affinities: Stored,
    offsets: Offsets,
    foreground: np.ndarray | None,
    beta: float,
    boundary: float,
    worst: bool,
    thickness: float,
    minimum_size: int,
    lifted: bool,
) -> np.ndarray:
    check(affinities, offsets, foreground)
    check_nearest(offsets)
    check_fraction("beta", beta)
    check_fraction("boundary", boundary)
    if lifted:
        check_long(offsets, "lifted multicut")
    ndim = affinities.ndim - 1
    nearest = clipped(affinities[:ndim])
    labels = watershed_fragments(nearest, foreground, boundary, worst)
    regions = region_graph(labels, nearest, offsets[:ndim])
    if len(regions.edges):
        costs = edge_costs(regions.means, regions.sizes, beta)
        find = partial(_lifted, labels, affinities, offsets, beta) if lifted else multicut_groups
        labels = join(labels, find(regions, costs))
    return absorb(labels, nearest, thickness, minimum_size)


def multicut_groups(regions: RegionGraph, costs: np.ndarray) -> np.ndarray:
    """Groups ``(nodes,)``, from 0, of the multicut by Kernighan-Lin, begun greedily."""
    from bioimage_cpp.graph.multicut import KernighanLinMulticut, MulticutObjective

    return KernighanLinMulticut().optimize(MulticutObjective(regions.graph, costs))


def _lifted(
    fragments: np.ndarray, affinities: Stored, offsets: Offsets, beta: float, regions: RegionGraph, costs: np.ndarray
) -> np.ndarray:
    """Groups ``(nodes,)`` of the lifted multicut by Kernighan-Lin, begun greedily."""
    from bioimage_cpp.graph import features, region_adjacency_graph
    from bioimage_cpp.graph.lifted_multicut import LiftedKernighanLinMulticut, LiftedMulticutObjective

    ndim = affinities.ndim - 1
    graph = region_adjacency_graph(fragments, number_of_threads=1)
    pairs = features.lifted_edges_from_affinities(graph, fragments, offsets[ndim:], number_of_threads=1)
    pairs = pairs[pairs[:, 0] > 0]  # background is no node
    if not len(pairs):
        return multicut_groups(regions, costs)
    far = clipped(affinities[ndim:])
    means, sizes = features.lifted_affinity_features(fragments, far, offsets[ndim:], pairs, number_of_threads=1).T
    objective = LiftedMulticutObjective(
        regions.graph, costs, lifted_uvs=pairs - np.uint64(1), lifted_costs=edge_costs(means, sizes, beta)
    )
    return LiftedKernighanLinMulticut().optimize(objective)
