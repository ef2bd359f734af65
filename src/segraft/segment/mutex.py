"""Mutex watershed (Wolf et al. 2020, https://arxiv.org/abs/1904.12654), by ``bioimage-cpp``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil

import numpy as np
from scipy import ndimage

from segraft.errors import UserError
from segraft.segment.arguments import check, check_fraction, check_long, check_nearest, clipped
from segraft.segment.fragments import absorb
from segraft.types import Offsets, Stored

STRIDES = {2: (1, 1), 3: (1, 5, 5)}
"""Stride, in pixels per axis, at which repulsive edges are kept, by dimension; no section is skipped."""
Box = tuple[slice, ...]
Block = tuple[Box, np.ndarray]
"""A box, and the mask of those pieces of the foreground in it that are partitioned together."""
Solved = tuple[Box, np.ndarray, np.ndarray]
"""The same with its segments."""
BLOCK = 256
"""Side, in pixels, of blocks: pieces of the foreground whose boxes begin in one block are partitioned together."""


def mutex_watershed(
    affinities: Stored,
    offsets: Offsets,
    foreground: np.ndarray | None = None,
    *,
    strides: tuple[int, ...] | None = None,
    bias: float = 0.0,
    thickness: float = 0.0,
    minimum_size: int = 0,
) -> np.ndarray:
    """Partition an image ``(*space)``, 2-D or 3-D, from affinities ``(N, *space)`` in [0, 1] (clipped to it).

    The nearest offsets, the first one per axis, attract by their affinity less a ``bias`` (0 to 1; higher cuts more);
    all others repel by 1 − affinity, on a grid of ``strides`` pixels (default ``STRIDES``). ``foreground`` (boolean)
    confines the segments. Those that are at most ``thickness`` pixels thick join the larger ones that they touch, then
    those of fewer than ``minimum_size`` pixels, which otherwise vanish (see `segraft.segment.fragments.absorb`).
    Returns consecutive ``uint32`` labels, 0 background.

    Nothing joins pixels that the foreground does not connect, so its connected pieces are partitioned block by
    block, which gives the same segments. ``affinities`` may be a stored array (HDF5), read by one box at a time.

    Raises ``UserError`` for NaN, for shapes that do not fit, for a bias out of range and when no offset is left to
    repel.
    """
    check(affinities, offsets, foreground)
    check_fraction("bias", bias)
    check_nearest(offsets)
    check_long(offsets, "mutex watershed")
    space = affinities.shape[1:]
    strides = strides or STRIDES[len(space)]
    if len(strides) != len(space) or min(strides) < 1:
        raise UserError(f"strides: got {strides}, expected {len(space)} positive integers; give one per axis")
    labels = np.zeros(space, np.uint32)
    largest = 0
    foreground = np.ones(space, bool) if foreground is None else foreground
    solve = partial(_solve, affinities, offsets, strides, bias, thickness, minimum_size)
    for box, inside, segments in _ahead(solve, _blocks(foreground, strides, rim=ceil(thickness)), affinities):
        labels[box][inside] = np.where(segments, segments + largest, 0)[inside]
        largest += int(segments.max())
    return labels


def _ahead(solve: Callable[[Block], Solved], blocks: Iterator[Block], affinities: Stored) -> Iterator[Solved]:
    """Solve blocks in their order, on all cores where the affinities are in memory: of stored ones one at a time."""
    if type(affinities) is not np.ndarray:
        yield from map(solve, blocks)
        return
    with ThreadPoolExecutor(_threads()) as pool:
        yield from pool.map(solve, blocks)


def _threads() -> int | None:
    """As many as there are cores, or as ``OMP_NUM_THREADS`` allows, which workers set that share a machine."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return int(allowed) if allowed.isdigit() and int(allowed) else os.cpu_count()


def _solve(
    affinities: Stored,
    offsets: Offsets,
    strides: tuple[int, ...],
    bias: float,
    thickness: float,
    minimum_size: int,
    block: Block,
) -> Solved:
    """The segments of one block, from 1."""
    box, inside = block
    weights = _weights(affinities[:, *box])
    attraction = weights[: len(inside.shape)]
    segments = _partition(_biased(weights, inside.ndim, bias), offsets, inside, strides)
    return box, inside, absorb(segments, attraction, thickness, minimum_size)


def _blocks(foreground: np.ndarray, strides: tuple[int, ...], rim: int) -> Iterator[Block]:
    """Yield boxes around whole neighbouring connected pieces of the foreground, and the masks of these pieces.

    Boxes begin on the grid of repulsive edges, and hold a ``rim`` of pixels around the pieces.
    """
    pieces, count = ndimage.label(foreground)
    boxes = ndimage.find_objects(pieces)
    groups: dict[tuple[int, ...], list[int]] = {}
    for number, box in enumerate(boxes, start=1):
        groups.setdefault(tuple(axis.start // BLOCK for axis in box), []).append(number)
    for numbers in groups.values():
        chosen = np.zeros(count + 1, bool)
        chosen[numbers] = True
        union = tuple(
            slice(max(0, min(axis.start for axis in axes) - rim) // k * k, max(axis.stop for axis in axes) + rim)
            for axes, k in zip(zip(*(boxes[number - 1] for number in numbers), strict=True), strides, strict=True)
        )
        yield union, chosen[pieces[union]]


def _partition(weights: np.ndarray, offsets: Offsets, inside: np.ndarray, strides: tuple[int, ...]) -> np.ndarray:
    """Return segments of the pixels ``inside``; 0 elsewhere."""
    from bioimage_cpp import segmentation  # compiled, not needed to import segraft

    return segmentation.mutex_watershed(weights, offsets, inside.ndim, strides=strides, mask=inside)


def _biased(weights: np.ndarray, attracting: int, bias: float) -> np.ndarray:
    """Return weights whose first ``attracting`` ones are less by ``bias``, but not below 0."""
    if not bias:
        return weights
    biased = weights.copy()
    np.maximum(biased[:attracting] - np.float32(bias), 0, out=biased[:attracting])
    return biased


def _weights(affinities: np.ndarray) -> np.ndarray:
    """Return edge weights for the library: affinity where edges attract, 1 − affinity where they repel."""
    attracting = affinities.ndim - 1
    weights = clipped(affinities)
    np.subtract(1, weights[attracting:], out=weights[attracting:])
    return weights
