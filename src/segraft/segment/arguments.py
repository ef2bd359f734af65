"""What every segmenter is given, and what is answered when it does not fit together."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError
from segraft.types import Offsets, Stored


def check(affinities: Stored, offsets: Offsets, foreground: np.ndarray | None) -> None:
    """Raise ``UserError`` when affinities ``(N, *space)``, their offsets and the foreground do not fit together."""
    space = affinities.shape[1:]
    if len(space) not in (2, 3) or 0 in affinities.shape:
        raise UserError(f"affinities came with shape {affinities.shape}; wanted (offsets, y, x) or (offsets, z, y, x)")
    if len(offsets) != len(affinities) or any(len(offset) != len(space) for offset in offsets):
        raise UserError(
            f"affinities of shape {affinities.shape} came with the offsets {offsets}; wanted one offset per "
            f"channel with {len(space)} numbers each"
        )
    if foreground is not None and (foreground.shape != space or foreground.dtype != bool):
        raise UserError(
            f"the foreground came as {foreground.dtype} of shape {foreground.shape}; wanted booleans of "
            f"shape {space}; threshold the foreground's probability first"
        )


def clipped(affinities: np.ndarray) -> np.ndarray:
    """Affinities in [0, 1] as float32, a copy; raises ``UserError`` for NaN."""
    result = np.clip(affinities, 0, 1, dtype=np.float32)
    if np.isnan(result.min()):
        raise UserError("affinities contain NaN; wanted numbers from 0 to 1; check the image and the weights for NaN")
    return result


def check_nearest(offsets: Offsets) -> None:
    """Raise ``UserError`` unless the first offset of each axis, in order, leads one pixel back."""
    ndim = len(offsets[0])
    wanted = tuple(tuple(-int(axis == other) for other in range(ndim)) for axis in range(ndim))
    if tuple(map(tuple, offsets[:ndim])) != wanted:
        raise UserError(f"the offsets came as {offsets}; wanted {wanted} first; use OFFSETS_2D or OFFSETS_3D")


def check_long(offsets: Offsets, segmenter: str) -> None:
    """Raise ``UserError`` when there is no offset beyond the nearest, the first one per axis."""
    if len(offsets) <= len(offsets[0]):
        raise UserError(
            f"the {segmenter} came with {len(offsets)} offsets, which all attract; wanted also "
            "longer ones that repel; use OFFSETS_2D or OFFSETS_3D_LONG"
        )


def check_fraction(name: str, value: float) -> None:
    """Raise ``UserError`` unless a setting is a number from 0 to 1."""
    if not 0 <= value <= 1:
        raise UserError(f"{name} came as {value}; wanted a number from 0 to 1, 0.5 for example")
