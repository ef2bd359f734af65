"""Checks of the arguments of segmenters."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError
from segraft.types import Offsets, Stored


def check(affinities: Stored, offsets: Offsets, foreground: np.ndarray | None) -> None:
    """Raise ``UserError`` when affinities ``(N, *space)``, their offsets and the foreground do not fit together."""
    space = affinities.shape[1:]
    if len(space) not in (2, 3) or 0 in affinities.shape:
        raise UserError(
            f"affinities: got shape {affinities.shape}, expected (offsets, y, x) or (offsets, z, y, x); pass one image"
        )
    if len(offsets) != len(affinities) or any(len(offset) != len(space) for offset in offsets):
        raise UserError(
            f"offsets: got {offsets} for affinities of shape {affinities.shape}, expected one offset per channel, "
            f"of {len(space)} numbers each; pass those of the affinities"
        )
    if foreground is not None and (foreground.shape != space or foreground.dtype != bool):
        raise UserError(
            f"foreground: got {foreground.dtype} of shape {foreground.shape}, expected booleans of shape {space}; "
            "threshold the foreground's probability first"
        )


def clipped(affinities: np.ndarray) -> np.ndarray:
    """Return a copy of affinities, clipped to [0, 1], as float32. Raises ``UserError`` for NaN."""
    result = np.clip(affinities, 0, 1, dtype=np.float32)
    if np.isnan(result.min()):
        raise UserError("affinities: got NaN, expected numbers from 0 to 1; check the image and the weights for NaN")
    return result


def check_nearest(offsets: Offsets) -> None:
    """Raise ``UserError`` unless the offsets begin with one pixel back along each axis, in the order of axes."""
    ndim = len(offsets[0])
    nearest = tuple(tuple(-int(axis == other) for other in range(ndim)) for axis in range(ndim))
    if tuple(map(tuple, offsets[:ndim])) != nearest:
        raise UserError(f"offsets: got {offsets}, expected {nearest} first; use OFFSETS_2D or OFFSETS_3D")


def check_long(offsets: Offsets, segmenter: str) -> None:
    """Raise ``UserError`` when there are no other offsets than the nearest ones, the first one per axis."""
    if len(offsets) <= len(offsets[0]):
        raise UserError(
            f"{segmenter}: got {len(offsets)} offsets, which all attract, expected also longer ones that repel; "
            "use OFFSETS_2D or OFFSETS_3D_LONG"
        )


def check_fraction(name: str, value: float) -> None:
    """Raise ``UserError`` unless a setting is a number from 0 to 1."""
    if not 0 <= value <= 1:
        raise UserError(f"{name}: got {value}, expected a number from 0 to 1; use 0.5 for example")
