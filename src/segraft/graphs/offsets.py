"""Which pixels are partners: the displacements of the affinity graph, by name (no PyTorch needed)."""

from __future__ import annotations

from segraft.types import Offsets

OFFSETS_2D: Offsets = tuple(offset for k in (1, 3, 5, 9, 27) for offset in ((-k, 0), (0, -k)))
OFFSETS_3D: Offsets = ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
OFFSETS_3D_LONG: Offsets = (
    *OFFSETS_3D,
    *((-2, 0, 0), (0, -3, 0), (0, 0, -3), (-3, 0, 0), (0, -9, 0), (0, 0, -9)),
    *((-4, 0, 0), (0, -27, 0), (0, 0, -27)),
)
OFFSETS = {"2d": OFFSETS_2D, "3d": OFFSETS_3D, "3d-long": OFFSETS_3D_LONG}
"""Sets of offsets by name: five distances per axis in images; the nearest, or four distances per axis, in volumes."""
USUAL: dict[int, Offsets] = {2: OFFSETS_2D, 3: OFFSETS_3D_LONG}
"""Offsets by the number of axes of space, where nothing else is said."""


def ends(offset: tuple[int, ...]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices per axis of all pixels p and of their partners p + offset, both inside the image."""
    here = tuple(slice(max(0, -k), min(0, -k) or None) for k in offset)
    there = tuple(slice(max(0, k), min(0, k) or None) for k in offset)
    return here, there


def reach(offsets: Offsets) -> tuple[int, ...]:
    """How far the offsets lead along each axis, in pixels."""
    return tuple(max(abs(offset[axis]) for offset in offsets) for axis in range(len(offsets[0])))
