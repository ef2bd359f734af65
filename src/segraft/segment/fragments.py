"""Fragments: thin or small segments, which join the larger ones that they touch.

Along the rim of an object the learnt foreground reaches a pixel or two further than the embedding's object, and every
segmenter leaves thin fragments there. Everything here works on arrays of all segments at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor, inf, sqrt

import numpy as np

from segraft.errors import UserError
from segraft.labels.relabel import consecutive

THICKNESS = 2.0
"""In pixels; what models do unless they say otherwise."""
DENSE = 64
"""Pairs of segments per border pixel up to which sums over borders are taken in a table of all pairs."""
LARGEST = 2**22
"""Pairs in such a table at most, 32 MB of each of its two kinds of numbers."""


@dataclass(frozen=True)
class Segments:
    """Segments 1 to n of a label image, as nodes of a graph whose edges are where two of them touch.

    ``sizes`` in pixels and ``thick`` are ``(n + 1,)``, entry 0 stands for the background. ``edges (edges, 2)`` are
    distinct pairs, ``attraction (edges,)`` the sum of the affinities of all pairs of pixels across their border.
    """

    sizes: np.ndarray
    thick: np.ndarray
    edges: np.ndarray
    attraction: np.ndarray


def absorb(labels: np.ndarray, attraction: np.ndarray, thickness: float, minimum_size: int) -> np.ndarray:
    """Let fragments join the larger segment that attracts them most, until no fragment touches a larger one.

    A segment is thin if none of its pixels is farther than ``thickness`` pixels from another label, in the ``(y, x)``
    plane; beyond the image there is no label. Thin segments join first, then those of fewer than ``minimum_size``
    pixels; of the latter, those that touch no larger one vanish. Two segments attract each other by the sum of the
    affinities across their border.

    Parameters
    ----------
    labels : ``(*space)``, 0 background
    attraction : ``(ndim, *space)`` in [0, 1]: affinity of each pixel to the one before it along each axis
    thickness : in pixels; below 1 thin segments stay
    minimum_size : in pixels; at 0 and 1 small segments stay

    Returns consecutive labels ``(*space)``. Raises ``UserError`` for a thickness below 0 or without a limit.
    """
    if not 0 <= thickness < inf:
        raise UserError(f"thickness: got {thickness}, expected 0 or more pixels; give 2 for example")
    labels = consecutive(labels)
    count = int(labels.max())
    thick = thick_segments(labels, thickness, count)
    if thick.all() and minimum_size <= 1:
        return labels
    segments = _segments(labels, attraction, thick)
    numbers = homes(segments, lambda home: thick_segments(home[labels], thickness, count), minimum_size)
    return numbers.astype(labels.dtype)[labels]


def homes(segments: Segments, thick_of: Callable[[np.ndarray], np.ndarray], minimum_size: int) -> np.ndarray:
    """What each of the segments 0 to n becomes, ``(n + 1,)``: consecutive numbers from 1, or 0 where it vanishes.

    ``thick_of`` says which are thick once all have become what it is given, ``(n + 1,)`` both; see ``absorb``.
    """
    count = len(segments.sizes) - 1
    home = np.arange(count + 1)  # what each of the first segments has become
    while (parents := _next_parents(segments, minimum_size)) is not None:
        segments, home = _joined(segments, parents), parents[home]
        if _parents(segments, ~segments.thick) is not None:  # thin ones that joined may have become thick
            segments = replace(segments, thick=segments.thick | thick_of(home))
    home[segments.sizes[home] < minimum_size] = 0
    kept = np.zeros(count + 1, bool)
    kept[home[1:]] = True
    kept[0] = False
    return (np.cumsum(kept) * kept)[home]


def _next_parents(segments: Segments, minimum_size: int) -> np.ndarray | None:
    """What thin segments become, or, once all is done with them, small ones; None at the end."""
    parents = _parents(segments, ~segments.thick)
    return _parents(segments, segments.sizes < minimum_size) if parents is None else parents


def _segments(labels: np.ndarray, attraction: np.ndarray, thick: np.ndarray) -> Segments:
    """Measure segments that are numbered consecutively."""
    pairs, values = [], []
    for axis, affinity in enumerate(attraction):
        later, earlier = (
            tuple(at if each == axis else slice(None) for each in range(labels.ndim))
            for at in (slice(1, None), slice(None, -1))
        )
        here, before = labels[later], labels[earlier]
        touching = np.flatnonzero((here != before) & (np.minimum(here, before) > 0))
        pairs.append(np.stack([here.reshape(-1)[touching], before.reshape(-1)[touching]]).astype(np.int64))
        values.append(affinity[later].reshape(-1)[touching].astype(np.float64))
    edges = distinct(np.concatenate(pairs, 1).T, np.concatenate(values), len(thick))
    return Segments(np.bincount(labels.ravel(), minlength=len(thick)), thick, *edges)


def distinct(edges: np.ndarray, attraction: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Add up edges between the same two of ``size`` segments; those of a segment with itself go."""
    one, other = edges.T
    between = one != other
    one, other, attraction = one[between], other[between], attraction[between]
    keys = np.minimum(one, other) * size + np.maximum(one, other)
    if size**2 <= min(DENSE * len(keys), LARGEST):  # a table of all pairs takes less time than sorting
        sums = np.bincount(keys, weights=attraction)
        keys = np.flatnonzero(np.bincount(keys))
        return np.stack(np.divmod(keys, size), 1), sums[keys]
    keys, rows = np.unique(keys, return_inverse=True)
    return np.stack(np.divmod(keys, size), 1), np.bincount(rows, weights=attraction, minlength=len(keys))


def _parents(segments: Segments, fragments: np.ndarray) -> np.ndarray | None:
    """The segment that each one becomes when every fragment joins a larger neighbour; None if no fragment has any."""
    sources, targets = np.concatenate([segments.edges, segments.edges[:, ::-1]]).T
    attraction = np.tile(segments.attraction, 2)
    joins = fragments[sources] & (segments.sizes[targets] > segments.sizes[sources])
    if not joins.any():
        return None
    sources, targets, attraction = sources[joins], targets[joins], attraction[joins]
    order = np.lexsort((targets, -segments.sizes[targets], -attraction, sources))
    first, best = np.unique(sources[order], return_index=True)
    parents = np.arange(len(segments.sizes))
    parents[first] = targets[order][best]
    while (parents != parents[parents]).any():  # a parent is larger than its child, so that there are no circles
        parents = parents[parents]
    return parents


def _joined(segments: Segments, parents: np.ndarray) -> Segments:
    """Segments after some have joined others; those that did are left without pixels."""
    size = len(parents)
    sizes = np.bincount(parents, weights=segments.sizes, minlength=size).astype(np.int64)
    thick = np.bincount(parents, weights=segments.thick, minlength=size) > 0
    thick[parents != np.arange(size)] = True  # no fragment any more
    return Segments(sizes, thick, *distinct(parents[segments.edges], segments.attraction, size))


def thick_segments(labels: np.ndarray, thickness: float, count: int) -> np.ndarray:
    """Whether each of the labels 0 to ``count`` is thicker than ``thickness`` pixels in plane, ``(count + 1,)``."""
    if thickness < 1:
        return np.ones(count + 1, bool)
    deep = np.bincount((labels * deep_pixels(labels, thickness)).ravel(), minlength=count + 1) > 0
    deep[0] = True
    return deep


def deep_pixels(labels: np.ndarray, depth: float) -> np.ndarray:
    """Pixels ``(*space)`` whose distance to the nearest pixel of another label, in plane, is more than ``depth``.

    All pixels of the disc around them have one label, which is looked at row by row.
    """
    reach, (height, width) = floor(depth), labels.shape[-2:]
    padded = np.pad(labels, [*[(0, 0)] * (labels.ndim - 2), (reach, reach), (reach, reach)], mode="edge")
    beside = padded[..., 1:] == padded[..., :-1]
    below = padded[..., 1:, reach : reach + width] == padded[..., :-1, reach : reach + width]
    even = [np.ones((*padded.shape[:-1], width), bool)]  # as many pixels to the left and to the right are alike
    for k in range(1, reach + 1):
        left, right = (beside[..., at : at + width] for at in (reach - k, reach + k - 1))
        even.append(even[-1] & left & right)
    deep = even[reach][..., reach : reach + height, :].copy()
    for step in (1, -1):
        column = np.ones((*labels.shape[:-2], height, width), bool)
        for row in range(1, reach + 1):
            at = reach + step * row
            column &= below[..., min(at, at - step) : min(at, at - step) + height, :]
            deep &= column & even[floor(sqrt(depth**2 - row**2))][..., at : at + height, :]
    return deep
