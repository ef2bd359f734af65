"""Geometric augmentation: what moves the pixels of image and labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from segraft.errors import UserError, choose
from segraft.images.windows import crop, window_at
from segraft.labels.check import UNKNOWN

WARP_CHANCE = 0.3
SCALES = (0.8, 1.25)
"""Smallest and largest magnification, unless the user says otherwise."""
ELASTIC_SPACING = 32
ELASTIC_AMPLITUDE = 6.0
MISALIGN_CHANCE = 0.3
MISALIGN_PIXELS = 16
"""Largest displacement of sections along each of y and x."""
SLIP_CHANCE = 0.5
"""Of a misalignment to be a slip of one section; else all later sections are displaced."""


@dataclass(frozen=True)
class Transform:
    """One drawn transform: displaced sections, a warp of the ``(y, x)`` plane, then exact quarter turns and flips.

    ``shifts (z, 2)`` is where each section is cut off its place, in whole source pixels. ``matrix (2, 2)`` maps
    output to source positions about the centre, ``waves (2, g, g)`` are displacements in pixels at the control points
    of a cubic B-spline. Each is None where it was not drawn; without the last two all pixels are exact.
    """

    flips: tuple[bool, ...] = ()
    turns: int = 0
    matrix: np.ndarray | None = None
    waves: np.ndarray | None = None
    shifts: np.ndarray | None = None

    def source_shape(self, patch: Sequence[int]) -> tuple[int, ...]:
        """Shape that becomes ``patch`` once it is turned."""
        *leading, y, x = patch
        return (*leading, x, y) if self.turns % 2 else (*leading, y, x)

    def cut(self, array: np.ndarray, start: Sequence[int], shape: Sequence[int], outside: int | None) -> np.ndarray:
        """As `crop`, with each section cut where its shift puts it."""
        if self.shifts is None:
            return crop(array, window_at(start, shape), outside)
        z, y, x = start
        plane = (1, *shape[1:])
        starts = [(z + n, y + dy, x + dx) for n, (dy, dx) in enumerate(self.shifts.tolist())]
        cuts = [crop(array, window_at(begin, plane), outside) for begin in starts]
        return np.concatenate(cuts, axis=-3)

    def turn(self, array: np.ndarray) -> np.ndarray:
        """Quarter turns and flips of the last axes of ``array``: exact, no value changes."""
        turned = np.rot90(array, self.turns, axes=(-2, -1))
        return np.flip(turned, tuple(axis - len(self.flips) for axis, flip in enumerate(self.flips) if flip))

    def positions(self, plane: Sequence[int]) -> np.ndarray | None:
        """Source positions ``(2, y, x)``, in pixels, of a plane's pixels; None without interpolation."""
        if self.matrix is None and self.waves is None:
            return None
        centre = [(size - 1) / 2 for size in plane]
        y, x = (np.arange(n, dtype=np.float32) - middle for n, middle in zip(plane, centre, strict=True))
        linear = np.eye(2, dtype=np.float32) if self.matrix is None else self.matrix
        positions = np.stack(
            [row[0] * y[:, None] + row[1] * x + middle for row, middle in zip(linear, centre, strict=True)]
        )
        if self.waves is not None:
            down, across = (_spline(size, self.waves.shape[-1]) for size in plane)
            positions += down @ self.waves @ across.T
        return positions.astype(np.float32, copy=False)


def _spline(size: int, controls: int) -> np.ndarray:
    """Uniform cubic B-spline basis ``(size, controls)``: rows are non-negative and sum to 1."""
    knots = np.arange(-3, controls + 1, dtype=float)
    basis = BSpline.design_matrix(np.arange(size) / ELASTIC_SPACING, knots, 3)
    return basis.toarray().astype(np.float32)


def _flip(geometry: Transform, rng: np.random.Generator, patch: Sequence[int]) -> Transform:
    return replace(geometry, flips=tuple(bool(flip) for flip in rng.integers(0, 2, len(patch))))


def _rotate90(geometry: Transform, rng: np.random.Generator, patch: Sequence[int]) -> Transform:
    return replace(geometry, turns=int(rng.integers(0, 4)))


def _linear(geometry: Transform, matrix: np.ndarray) -> Transform:
    before = np.eye(2) if geometry.matrix is None else geometry.matrix
    return replace(geometry, matrix=(matrix @ before).astype(np.float32))


def _rotate(geometry: Transform, rng: np.random.Generator, patch: Sequence[int]) -> Transform:
    if rng.random() >= WARP_CHANCE:
        return geometry
    angle = rng.uniform(-math.pi, math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    return _linear(geometry, np.array([[cos, -sin], [sin, cos]]))


def _scale(
    geometry: Transform, rng: np.random.Generator, patch: Sequence[int], scales: tuple[float, float] = SCALES
) -> Transform:
    if rng.random() >= WARP_CHANCE:
        return geometry
    factor = math.exp(rng.uniform(*np.log(scales)))
    return _linear(geometry, np.eye(2) / factor)


def _elastic(geometry: Transform, rng: np.random.Generator, patch: Sequence[int]) -> Transform:
    """Smooth displacements; twice the amplitude is under half the spacing, hence the map cannot fold."""
    if rng.random() >= WARP_CHANCE:
        return geometry
    controls = (max(patch[-2:]) - 1) // ELASTIC_SPACING + 4
    amplitude = rng.uniform(0, ELASTIC_AMPLITUDE)
    waves = rng.uniform(-amplitude, amplitude, (2, controls, controls))
    return replace(geometry, waves=waves.astype(np.float32))


def _misalign(geometry: Transform, rng: np.random.Generator, patch: Sequence[int]) -> Transform:
    """A slip or a translation of sections; never of the first, after which nothing would be out of place."""
    if rng.random() >= MISALIGN_CHANCE:
        return geometry
    sections = int(patch[0])
    first = int(rng.integers(min(1, sections - 1), sections))
    last = first + 1 if rng.random() < SLIP_CHANCE else sections
    shifts = np.zeros((sections, 2), int)
    shifts[first:last] = rng.integers(-MISALIGN_PIXELS, MISALIGN_PIXELS + 1, 2)
    return replace(geometry, shifts=shifts)


GEOMETRY: dict[str, Callable[[Transform, np.random.Generator, Sequence[int]], Transform]] = {
    "flip": _flip,
    "rotate90": _rotate90,
    "rotate": _rotate,
    "scale": _scale,
    "elastic": _elastic,
    "misalign": _misalign,
}
"""What moves pixels: mirror images along any axis, z too (``flip``); in the ``(y, x)`` plane and on all sections alike,
quarter turns (``rotate90``), turns by any angle (``rotate``), magnification (``scale``) and smooth deformation
(``elastic``). Of volumes only: one section, or all from a random one on, displaced in plane (``misalign``)."""
SECTIONS_ONLY = ("misalign",)
"""Names that act on single sections: for ``(z, y, x)`` only."""


def check(
    kind: str, names: Sequence[str], known: Mapping[str, object], sections_only: Sequence[str], ndim: int
) -> None:
    """Raise `UserError` for a name that is no key of ``known``, and for one that needs sections where none are."""
    for name in names:
        choose(f"{kind} augmentation", name, known)
        if ndim == 2 and name in sections_only:
            raise UserError(f"augmentation {name!r}: got 2-D images, expected volumes (z, y, x); omit it")


def draw_geometry(
    names: Sequence[str],
    rng: np.random.Generator,
    patch: Sequence[int],
    scales: tuple[float, float] = SCALES,
) -> Transform:
    """Draw the transforms called ``names`` (keys of `GEOMETRY`) for a patch of shape ``patch``.

    ``scales`` are the smallest and the largest magnification.

    Raises `UserError` for names that are unknown, or that need sections where ``patch`` has none.
    """
    check("geometry", names, GEOMETRY, SECTIONS_ONLY, len(patch))
    geometry = Transform()
    for name, transform in (GEOMETRY | {"scale": partial(_scale, scales=scales)}).items():
        if name in names:
            geometry = transform(geometry, rng, patch)
    return geometry


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image


def apply_geometry(
    geometry: Transform,
    image: np.ndarray,
    labels: np.ndarray,
    start: Sequence[int],
    patch: Sequence[int],
    normalise: Callable[[np.ndarray], np.ndarray] = _as_it_is,
    *further: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Patch of an image ``(C, *space)`` and signed labels ``(*space)``, cut from a window at ``start``.

    ``further`` labels of the image are moved in the same way, and follow. One resampling at most: the image linearly,
    the labels by their nearest pixel. Beyond the border the image is mirrored and the labels are -1. ``normalise`` maps
    the grey values of the cut window before it is resampled.
    """
    shape = geometry.source_shape(patch)
    positions = geometry.positions(shape[-2:])
    begin, window = tuple(start), shape
    if positions is not None:
        low = np.floor(positions.min(axis=(1, 2))).astype(int)
        extent = np.floor(positions.max(axis=(1, 2))).astype(int) + 2 - low
        begin = (*start[:-2], start[-2] + int(low[0]), start[-1] + int(low[1]))
        window = (*shape[:-2], int(extent[0]), int(extent[1]))
        positions = positions - low[:, None, None].astype(np.float32)
    image = normalise(geometry.cut(image, begin, window, None))
    moved = [geometry.cut(each, begin, window, UNKNOWN) for each in (labels, *further)]
    if positions is not None:
        image = _interpolate(image, positions)
        y, x = np.rint(positions).astype(np.intp)
        moved = [each[..., y, x] for each in moved]
    return geometry.turn(image), *map(geometry.turn, moved)


def _interpolate(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Every ``(y, x)`` plane of ``image`` at the same positions, linearly."""
    result = np.empty((*image.shape[:-2], *positions.shape[1:]), np.float32)
    for index in np.ndindex(*image.shape[:-2]):
        map_coordinates(image[index], positions, result[index], order=1, mode="nearest", prefilter=False)
    return result
