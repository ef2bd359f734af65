"""Watershed and hierarchical agglomeration (Funke et al. 2018, https://arxiv.org/abs/1709.02974), called waterz."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial

import numpy as np

from segraft.errors import UserError, choose
from segraft.segment.arguments import check, check_fraction, check_nearest, clipped
from segraft.segment.fragments import absorb
from segraft.segment.regions import RegionGraph, join, region_graph
from segraft.segment.watershed import watershed_fragments
from segraft.types import Offsets, Stored

QUANTILES = (*range(10, 90, 5), 90, 95)
"""In percent; the package waterz would have to compile others."""
BINS = 256
"""Of the histograms behind median and quantiles, as in waterz."""


def waterz(
    affinities: Stored,
    offsets: Offsets,
    foreground: np.ndarray | None = None,
    *,
    threshold: float = 0.5,
    score: str = "mean",
    boundary: float = 0.5,
    thickness: float = 0.0,
    minimum_size: int = 0,
) -> np.ndarray:
    """Partition an image ``(*space)``, 2-D or 3-D, from affinities ``(N, *space)`` in [0, 1] (clipped to it).

    Cuts watershed fragments, in 3-D section by section, and merges those that touch, the most alike first, while
    1 − their affinity is below ``threshold``. Only the nearest offsets, the first one per axis, are used.

    Parameters
    ----------
    foreground : boolean ``(*space)``; confines the segments
    threshold : from 0, nothing merges, to 1
    score : affinity of two regions: the ``mean`` over all pairs of pixels across their border, or the ``median`` or
        ``quantile-75`` (10, 15, ... 95 percent) of the largest affinities of the pairs of fragments there; quantiles
        need the package waterz
    boundary : boundary probability from which on a pixel separates seeds; lower means more, smaller fragments
    thickness : in pixels, in plane; segments that are nowhere thicker join the larger ones that they touch
    minimum_size : segments of fewer pixels join the larger ones that they touch, or vanish

    Returns consecutive ``uint32`` labels, 0 background. Raises ``UserError`` for NaN, for shapes, offsets and settings
    that do not fit, and for a quantile without waterz.
    """
    check(affinities, offsets, foreground)
    check_nearest(offsets)
    check_fraction("threshold", threshold)
    check_fraction("boundary", boundary)
    merge = choose("score", score, SCORES)
    ndim = affinities.ndim - 1
    nearest = clipped(affinities[:ndim])
    labels = merge(watershed_fragments(nearest, foreground, boundary), nearest, offsets[:ndim], threshold)
    return absorb(labels, nearest, thickness, minimum_size)


def _by_mean(fragments: np.ndarray, nearest: np.ndarray, offsets: Offsets, threshold: float) -> np.ndarray:
    """Average linkage: with the threshold subtracted, merge while the strongest edge attracts."""
    regions = region_graph(fragments, nearest, offsets)
    return join(fragments, mean_groups(regions, threshold)) if len(regions.edges) else fragments


def mean_groups(regions: RegionGraph, threshold: float, joinable: np.ndarray | None = None) -> np.ndarray:
    """Groups ``(nodes,)``, from 0, of average linkage: the most alike merge first, while 1 − mean is below a threshold.

    Fragments whose edges are not ``joinable``, boolean ``(edges,)``, stay apart.
    """
    from bioimage_cpp.graph.agglomeration import GaspClusterPolicy

    weights = regions.means - (1 - threshold)
    if joinable is not None:
        weights[~joinable] = -1.0  # the strongest, so that they are kept apart before any others join
    policy = GaspClusterPolicy(linkage="mean")
    apart = {} if joinable is None else {"is_mergeable": joinable}
    return policy.optimize(regions.graph, weights, edge_sizes=regions.sizes.astype(float), **apart)


def _by_median(fragments: np.ndarray, nearest: np.ndarray, offsets: Offsets, threshold: float) -> np.ndarray:
    """Merge by the median over pairs of fragments of their largest affinity."""
    from bioimage_cpp.graph.agglomeration import MalaClusterPolicy

    regions = region_graph(fragments, nearest, offsets)
    if not len(regions.edges):
        return fragments
    policy = MalaClusterPolicy(num_bins=BINS, threshold=threshold)
    return join(fragments, policy.optimize(regions.graph, 1 - regions.maxima))


def _by_quantile(
    fragments: np.ndarray, nearest: np.ndarray, offsets: Offsets, threshold: float, *, percent: int
) -> np.ndarray:
    """Merge by any quantile of the same affinities, with the package waterz."""
    try:
        from waterz import agglomerate
    except ImportError as error:
        raise UserError(
            f"score: got quantile-{percent} without the package waterz, expected that package, or mean or median; "
            "install it: pip install 'segraft[em]'"
        ) from error
    volume = np.zeros((3, *(1,) * (4 - nearest.ndim), *nearest.shape[1:]), np.float32)  # a plane is a volume of one
    volume[-len(nearest) :] = nearest.reshape(len(nearest), *volume.shape[1:])
    function = f"OneMinus<HistogramQuantileAffinity<RegionGraphType,{percent},ScoreValue,{BINS},true>>"
    begun = fragments.reshape(volume.shape[1:]).copy()
    with _silence():
        (labels,) = agglomerate(volume, [threshold], fragments=begun, scoring_function=function)
    return np.asarray(labels).reshape(fragments.shape)


SCORES: dict[str, Callable[..., np.ndarray]] = {
    "mean": _by_mean,
    "median": _by_median,
    **{f"quantile-{percent}": partial(_by_quantile, percent=percent) for percent in QUANTILES},
}
"""How regions are merged, by the name of the affinity between two of them."""


@contextmanager
def _silence() -> Iterator[None]:
    """Discard standard output of Python and of compiled code, meanwhile for the whole process."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
