"""Augmentation in two stages: *geometry* moves pixels of image and labels, *intensity* changes grey values.

Both stages draw from a generator that is handed in, in the order of their registries whatever order the user
names. Flips reach all axes; turns, rotation, scale and elastic deformation act within the ``(y, x)`` plane,
because the sections of an anisotropic volume do not mix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter, map_coordinates

from segraft.errors import choose
from segraft.labels import UNKNOWN

WARP_CHANCE = 0.3
INTENSITY_CHANCE = 0.5
SCALES = (0.8, 1.25)
ELASTIC_SPACING = 32
ELASTIC_AMPLITUDE = 6.0


@dataclass(frozen=True)
class Geometry:
    """One drawn transform: a warp of the ``(y, x)`` plane followed by exact quarter turns and flips.

    ``matrix (2, 2)`` maps output to source positions about the centre, ``waves (2, g, g)`` are displacements
    in pixels at the control points of a cubic B-spline. Both are None where only exact transforms were drawn.
    """

    flips: tuple[bool, ...] = ()
    turns: int = 0
    matrix: np.ndarray | None = None
    waves: np.ndarray | None = None

    def source_shape(self, patch: Sequence[int]) -> tuple[int, ...]:
        """Shape that becomes ``patch`` once it is turned."""
        *leading, y, x = patch
        return (*leading, x, y) if self.turns % 2 else (*leading, y, x)

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


def _flip(geometry: Geometry, rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    return replace(geometry, flips=tuple(bool(flip) for flip in rng.integers(0, 2, len(patch))))


def _rotate90(geometry: Geometry, rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    return replace(geometry, turns=int(rng.integers(0, 4)))


def _linear(geometry: Geometry, matrix: np.ndarray) -> Geometry:
    before = np.eye(2) if geometry.matrix is None else geometry.matrix
    return replace(geometry, matrix=(matrix @ before).astype(np.float32))


def _rotate(geometry: Geometry, rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    if rng.random() >= WARP_CHANCE:
        return geometry
    angle = rng.uniform(-math.pi, math.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    return _linear(geometry, np.array([[cos, -sin], [sin, cos]]))


def _scale(geometry: Geometry, rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    if rng.random() >= WARP_CHANCE:
        return geometry
    factor = math.exp(rng.uniform(*np.log(SCALES)))
    return _linear(geometry, np.eye(2) / factor)


def _elastic(geometry: Geometry, rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    """Smooth displacements; twice the amplitude is under half the spacing, hence the map cannot fold."""
    if rng.random() >= WARP_CHANCE:
        return geometry
    controls = (max(patch[-2:]) - 1) // ELASTIC_SPACING + 4
    amplitude = rng.uniform(0, ELASTIC_AMPLITUDE)
    waves = rng.uniform(-amplitude, amplitude, (2, controls, controls))
    return replace(geometry, waves=waves.astype(np.float32))


GEOMETRY: dict[str, Callable[[Geometry, np.random.Generator, Sequence[int]], Geometry]] = {
    "flip": _flip,
    "rotate90": _rotate90,
    "rotate": _rotate,
    "scale": _scale,
    "elastic": _elastic,
}


def draw_geometry(names: Sequence[str], rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    """Draw the transforms called ``names`` (keys of `GEOMETRY`) for a patch of shape ``patch``."""
    geometry = Geometry()
    for name, transform in GEOMETRY.items():
        if name in names:
            geometry = transform(geometry, rng, patch)
    return geometry


def crop(array: np.ndarray, start: Sequence[int], shape: Sequence[int], outside: int | None) -> np.ndarray:
    """Cut a window of the last axes; beyond the border the array is mirrored, or ``outside`` is written."""
    extents = array.shape[-len(shape) :]
    window = [range(first, first + size) for first, size in zip(start, shape, strict=True)]
    if all(r.start >= 0 and r.stop <= extent for r, extent in zip(window, extents, strict=True)):
        inside: tuple[Any, ...] = (..., *(slice(r.start, r.stop) for r in window))
        return array[inside]
    indices = [np.array(r) for r in window]
    mirrored = [_mirror(index, extent) for index, extent in zip(indices, extents, strict=True)]
    mesh: tuple[Any, ...] = (..., *np.ix_(*mirrored))
    cut = array[mesh]
    if outside is not None:
        for axis, (index, extent) in enumerate(zip(indices, extents, strict=True), start=-len(shape)):
            np.moveaxis(cut, axis, 0)[(index < 0) | (index >= extent)] = outside
    return cut


def _mirror(index: np.ndarray, extent: int) -> np.ndarray:
    """Indices beyond ``0 .. extent - 1`` reflected about the border pixels, as often as it takes."""
    period = max(2 * (extent - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if extent > 1 else np.zeros_like(index)


def apply_geometry(
    geometry: Geometry, image: np.ndarray, labels: np.ndarray, start: Sequence[int], patch: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Patch of an image ``(C, *space)`` and signed labels ``(*space)``, cut from a window at ``start``.

    One resampling at most: the image linearly, the labels by their nearest pixel. Beyond the border the image
    is mirrored and the labels are -1.
    """
    shape = geometry.source_shape(patch)
    positions = geometry.positions(shape[-2:])
    if positions is None:
        image, labels = crop(image, start, shape, None), crop(labels, start, shape, UNKNOWN)
    else:
        low = np.floor(positions.min(axis=(1, 2))).astype(int)
        extent = np.floor(positions.max(axis=(1, 2))).astype(int) + 2 - low
        begin = (*start[:-2], start[-2] + int(low[0]), start[-1] + int(low[1]))
        window = (*shape[:-2], int(extent[0]), int(extent[1]))
        positions = positions - low[:, None, None].astype(np.float32)
        image = _interpolate(crop(image, begin, window, None), positions)
        y, x = np.rint(positions).astype(np.intp)
        labels = crop(labels, begin, window, UNKNOWN)[..., y, x]
    return geometry.turn(image), geometry.turn(labels)


def _interpolate(image: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Every ``(y, x)`` plane of ``image`` at the same positions, linearly."""
    result = np.empty((*image.shape[:-2], *positions.shape[1:]), np.float32)
    for index in np.ndindex(*image.shape[:-2]):
        map_coordinates(image[index], positions, result[index], order=1, mode="nearest", prefilter=False)
    return result


def _per_channel(rng: np.random.Generator, low: float, high: float, image: np.ndarray) -> np.ndarray:
    values = rng.uniform(low, high, len(image)).astype(np.float32)
    return values.reshape(-1, *(1,) * (image.ndim - 1))


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sigma = rng.uniform(0.3, 1.5)
    return gaussian_filter(image, sigma, axes=(-2, -1), truncate=3)


def _gamma(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    exponent = np.exp(_per_channel(rng, math.log(0.7), math.log(1.4), image))
    return np.sign(image) * np.abs(image) ** exponent


def _contrast(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mean = image.mean(axis=tuple(range(1, image.ndim)), keepdims=True)
    return mean + (image - mean) * _per_channel(rng, 0.7, 1.4, image)


def _brightness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image + _per_channel(rng, -0.1, 0.1, image)


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    deviation = np.float32(rng.uniform(0, 0.1))
    return image + deviation * rng.standard_normal(image.shape, dtype=np.float32)


# In the order in which light meets them: optics, response, detector.
INTENSITY: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "gamma": _gamma,
    "contrast": _contrast,
    "brightness": _brightness,
    "noise": _noise,
}


def apply_intensity(names: Sequence[str], image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change a normalised float32 image ``(C, *space)`` by each of ``names``, keys of `INTENSITY`, or not."""
    for name, change in INTENSITY.items():
        if name in names and rng.random() < INTENSITY_CHANCE:
            image = change(image, rng)
    return image


def check_names(geometry: Sequence[str], intensity: Sequence[str]) -> None:
    """Raise `UserError` for a name in neither registry's keys."""
    for name in geometry:
        choose("geometry augmentation", name, GEOMETRY)
    for name in intensity:
        choose("intensity augmentation", name, INTENSITY)
