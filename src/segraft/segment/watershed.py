"""Watershed fragments: many small watersheds, each inside one object, which segmenters join to instances."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree


def boundary_map(nearest: np.ndarray, worst: bool = False) -> np.ndarray:
    """Return how likely each pixel lies on a boundary: ``1 −`` the mean of its nearest affinities in the plane.

    With ``worst`` it is ``1 −`` the lower of the two, so that one weak affinity makes a boundary.

    ``nearest`` is ``(ndim, *space)``: from each pixel one back along each axis. The first row and column, which have no
    such partner, take the affinity of the second. Returns ``(*space)``, float32.
    """
    total = np.full(nearest.shape[1:], worst, np.float32)
    combine = np.minimum if worst else np.add
    for channel, axis in ((nearest[-2], -2), (nearest[-1], -1)):
        lines, sums = np.moveaxis(channel, axis, 0), np.moveaxis(total, axis, 0)
        combine(sums[1:], lines[1:], out=sums[1:])
        sums[0] = combine(sums[0], lines[1] if len(lines) > 1 else 1)
    return 1 - total if worst else 1 - total / 2


def watershed_fragments(
    nearest: np.ndarray, foreground: np.ndarray | None, boundary: float, worst: bool = False
) -> np.ndarray:
    """Cut a plane, or each section of a volume, into watersheds that respect the boundaries.

    Seeds are the points farthest from pixels whose boundary map is ``boundary`` or more: the maxima of the distance
    transform, of which one remains in each ball that touches no boundary. Each pixel goes to the seed that reaches it
    along the strongest affinities. ``nearest`` is ``(ndim, *space)``, in [0, 1]; ``foreground`` ``(*space)`` is
    covered exactly; ``worst`` is that of ``boundary_map``. Returns consecutive ``uint64`` labels ``(*space)``, unique
    across sections.
    """
    inside = boundary_map(nearest, worst) < boundary
    mask = np.ones(inside.shape, bool) if foreground is None else foreground
    inside &= mask
    if inside.ndim == 2:
        return _section(nearest, inside, mask)
    fragments, count = np.zeros(inside.shape, np.uint64), 0
    for z in range(len(fragments)):
        section = _section(nearest[1:, z], inside[z], mask[z])
        fragments[z] = np.where(section, section + np.uint64(count), 0)
        count += int(section.max())
    return fragments


def _section(nearest: np.ndarray, inside: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the fragments of a plane ``(y, x)`` inside ``mask``; parts that no seed reaches are further fragments."""
    from bioimage_cpp import segmentation

    if not mask.any():
        return np.zeros(mask.shape, np.uint64)
    markers = seeds(inside)
    labels = segmentation.watershed_from_affinities(nearest, ((-1, 0), (0, -1)), markers, mask=mask)
    rest, _ = ndimage.label(mask & (labels == 0))
    return np.where(rest, rest.astype(np.uint64) + labels.max(), labels)


def seeds(inside: np.ndarray) -> np.ndarray:
    """Return seeds ``(y, x)``: maxima of the distance to the boundaries of a plane, numbered from 1; ``uint64``."""
    from bioimage_cpp import distance

    markers = np.zeros(inside.shape, np.uint64)
    if not inside.any():
        return markers
    distances = distance.distance_transform(inside)
    plateaus, count = ndimage.label((ndimage.maximum_filter(distances, 3) == distances) & inside, np.ones((3, 3)))
    _, firsts = np.unique(plateaus, return_index=True)
    points = np.stack(np.unravel_index(firsts[-count:], inside.shape), 1)
    points = dominant(points, distances[tuple(points.T)])
    markers[tuple(points.T)] = np.arange(1, len(points) + 1)
    return markers


def dominant(points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Of points ``(n, ndim)`` with radii ``(n,)`` return those that are the largest in some point's ball.

    The library's non-maximum suppression does the same in quadratic time.
    """
    order = np.argsort(-radii, kind="stable")
    points, radii = points[order], radii[order]
    balls = KDTree(points).query_ball_point(points, radii)
    return points[np.unique([min(ball) for ball in balls])]
