"""The coarser levels of a label image: their shapes, where they lie, and the ids that they show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

LARGEST_SIDE = 512
"""The coarsest level is the first that is no larger along any axis, in pixels."""


class Level(NamedTuple):
    """A level of a pyramid: its shape, and how many pixels of the finest level each of its pixels covers per axis."""

    space: tuple[int, ...]
    factors: tuple[int, ...]


def levels(space: Sequence[int], voxel_size: Sequence[float] | None = None) -> list[Level]:
    """Return the levels of a pyramid over an array ``(*space)``, the finest first.

    From level to level axes are halved, rounded up, except those whose pixels are twice as long as the shortest or
    longer, ``voxel_size`` in any unit, and those of a single pixel.
    """
    spacing = np.ones(len(space)) if voxel_size is None else np.asarray(voxel_size, np.float64)
    found = [Level(tuple(space), (1,) * len(space))]
    while max(found[-1].space) > LARGEST_SIDE:
        shape, factors = np.array(found[-1].space), np.array(found[-1].factors)
        lengths = spacing * factors
        halved = (shape > 1) & (lengths < 2 * lengths[shape > 1].min())
        steps = np.where(halved, 2, 1)
        found.append(Level(tuple((-(-shape // steps)).tolist()), tuple((factors * steps).tolist())))
    return found


def coarsened(labels: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Return labels ``(*space)``, unsigned, in which each pixel stands for a group of ``steps`` pixels per axis.

    It has the most frequent id of the group; of equally frequent ones the smallest that is not background, whatever
    their places, so that objects do not drift from level to level, and thin ones stay. No id is invented, ids of any
    size survive. Groups at the end may be smaller.
    """
    beyond = [(0, -extent % step) for extent, step in zip(labels.shape, steps, strict=True)]
    padded = np.pad(labels, beyond, mode="edge")  # repeats whole rows of a group, hence changes no order of frequency
    places = product(*(range(step) for step in steps))
    members = [padded[tuple(slice(k, None, step) for k, step in zip(place, steps, strict=True))] for place in places]
    result = members[0].copy()
    mixed = np.zeros(result.shape, bool)
    for member in members[1:]:
        mixed |= member != result
    result[mixed] = _most_frequent(np.stack([member[mixed] for member in members]))
    return result


def _most_frequent(members: np.ndarray) -> np.ndarray:
    """Return the most frequent id of each group ``(members, groups)``; see ``coarsened`` for equally frequent ones."""
    ranks = members - members.dtype.type(1)  # background, which wraps around, comes last
    best, most = ranks[0], np.zeros(ranks.shape[1], np.uint8)
    for rank in ranks:
        frequency = (ranks == rank).sum(0, dtype=np.uint8)
        better = (frequency > most) | ((frequency == most) & (rank < best))
        best, most = np.where(better, rank, best), np.where(better, frequency, most)
    return best + ranks.dtype.type(1)
