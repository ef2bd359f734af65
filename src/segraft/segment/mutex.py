"""Mutex watershed (Wolf et al. 2020, https://arxiv.org/abs/1904.12654), by ``bioimage-cpp``."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError
from segraft.labels import consecutive, remove_small
from segraft.segment.arguments import check, check_long
from segraft.types import Offsets

STRIDES = {2: (5, 5), 3: (1, 5, 5)}
"""Every how many pixels repulsive edges are kept, by dimension; sections are too few to skip any."""


def mutex_watershed(
    affinities: np.ndarray,
    offsets: Offsets,
    foreground: np.ndarray | None = None,
    *,
    strides: tuple[int, ...] | None = None,
    minimum_size: int = 0,
) -> np.ndarray:
    """Partition an image ``(*space)``, 2-D or 3-D, from affinities ``(N, *space)`` in [0, 1] (clipped to it).

    The nearest offsets, the first one per axis, attract by their affinity; all others repel by 1 − affinity, on
    a grid of ``strides`` pixels (default ``STRIDES``). ``foreground`` (boolean) confines the segments. Those of
    fewer than ``minimum_size`` pixels join the larger ones that they touch, or vanish. Returns consecutive
    ``uint32`` labels, 0 background.
    Raises ``UserError`` for NaN, for shapes that do not fit and when no offset is left to repel.
    """
    from bioimage_cpp import segmentation  # compiled, not needed to import segraft

    check(affinities, offsets, foreground)
    check_long(offsets, "mutex watershed")
    space = affinities.shape[1:]
    if foreground is not None and not foreground.any():
        return np.zeros(space, np.uint32)
    strides = strides or STRIDES[len(space)]
    if len(strides) != len(space) or min(strides) < 1:
        raise UserError(f"strides came as {strides}; wanted {len(space)} positive integers, one per axis")
    weights = _weights(affinities)
    labels = segmentation.mutex_watershed(weights, offsets, len(space), strides=strides, mask=foreground)
    return consecutive(absorb_small(labels, minimum_size, weights[: len(space)]) if minimum_size > 1 else labels)


def absorb_small(labels: np.ndarray, minimum: int, attraction: np.ndarray) -> np.ndarray:
    """Give the pixels of instances below ``minimum`` pixels to the larger ones, strongest ``attraction`` first.

    Edge pixels whose affinities disagree fall out of their object as fragments: removing those would leave holes.
    Fragments that reach no larger instance become background. ``attraction`` is ``(ndim, *space)``.
    """
    from bioimage_cpp import segmentation

    large = remove_small(labels, minimum)
    if np.array_equal(large, labels):
        return labels
    return segmentation.watershed(1 - attraction.mean(0), large, mask=labels > 0)


def _weights(affinities: np.ndarray) -> np.ndarray:
    """Edge weights as the library wants them: affinity where edges attract, 1 − affinity where they repel."""
    attracting = affinities.ndim - 1
    weights = np.clip(affinities, 0, 1, dtype=np.float32)
    np.subtract(1, weights[attracting:], out=weights[attracting:])
    return weights
