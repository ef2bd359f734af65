"""Augmentation in two stages: *geometry* moves pixels of image and labels, *intensity* changes grey values.

Both stages draw from a generator that is handed in, in the order of their registries whatever order the user
names. Flips reach all axes; turns, rotation, scale and elastic deformation act within the ``(y, x)`` plane and on all
sections alike, because the sections of an anisotropic volume do not mix. What goes wrong with single sections of an
electron microscope's volume (Lee et al. 2017, arXiv 1706.00120) has names of its own: those of `VOLUMES_ONLY`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.interpolate import BSpline
from scipy.ndimage import gaussian_filter, map_coordinates

from segraft.errors import UserError, choose
from segraft.labels import UNKNOWN

WARP_CHANCE = 0.3
INTENSITY_CHANCE = 0.5
SCALES = (0.8, 1.25)
ELASTIC_SPACING = 32
ELASTIC_AMPLITUDE = 6.0
MISALIGN_CHANCE = 0.3
MISALIGN_PIXELS = 16
"""Largest displacement of sections along each of y and x."""
SLIP_CHANCE = 0.5
"""Of a misalignment to be a slip of one section; else all later sections are displaced."""
SECTION_CHANCE = 0.05
"""Of each section to be missing or out of focus where a patch has any such; one at least is."""
DEFOCUS = (1.0, 4.0)
"""Standard deviation of the blur of a section out of focus, in pixels."""
SECTION_CONTRAST = (0.8, 1.25)
SECTION_BRIGHTNESS = 0.1


@dataclass(frozen=True)
class Geometry:
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
            return crop(array, start, shape, outside)
        z, y, x = start
        plane = (1, *shape[1:])
        cuts = [crop(array, (z + n, y + dy, x + dx), plane, outside) for n, (dy, dx) in enumerate(self.shifts.tolist())]
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


def _misalign(geometry: Geometry, rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    """A slip or a translation of sections; never from the first on, for all displaced alike are not misaligned."""
    if rng.random() >= MISALIGN_CHANCE:
        return geometry
    sections = int(patch[0])
    first = int(rng.integers(min(1, sections - 1), sections))
    last = first + 1 if rng.random() < SLIP_CHANCE else sections
    shifts = np.zeros((sections, 2), int)
    shifts[first:last] = rng.integers(-MISALIGN_PIXELS, MISALIGN_PIXELS + 1, 2)
    return replace(geometry, shifts=shifts)


GEOMETRY: dict[str, Callable[[Geometry, np.random.Generator, Sequence[int]], Geometry]] = {
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


def draw_geometry(names: Sequence[str], rng: np.random.Generator, patch: Sequence[int]) -> Geometry:
    """Draw the transforms called ``names`` (keys of `GEOMETRY`) for a patch of shape ``patch``.

    Raises `UserError` for names that are unknown, or that need sections where ``patch`` has none.
    """
    check_names(names, (), len(patch))
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


def _as_it_is(image: np.ndarray) -> np.ndarray:
    return image


def apply_geometry(
    geometry: Geometry,
    image: np.ndarray,
    labels: np.ndarray,
    start: Sequence[int],
    patch: Sequence[int],
    normalise: Callable[[np.ndarray], np.ndarray] = _as_it_is,
) -> tuple[np.ndarray, np.ndarray]:
    """Patch of an image ``(C, *space)`` and signed labels ``(*space)``, cut from a window at ``start``.

    One resampling at most: the image linearly, the labels by their nearest pixel. Beyond the border the image
    is mirrored and the labels are -1. ``normalise`` maps the grey values of the cut window before it is resampled.
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
    labels = geometry.cut(labels, begin, window, UNKNOWN)
    if positions is not None:
        image = _interpolate(image, positions)
        y, x = np.rint(positions).astype(np.intp)
        labels = labels[..., y, x]
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


def _some_sections(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices of a few sections of an image ``(C, z, y, x)``, one at least."""
    sections = image.shape[1]
    chosen = rng.random((sections,)) < SECTION_CHANCE
    chosen[rng.integers(sections)] = True
    return np.flatnonzero(chosen)


def _defocus(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    changed = image.copy()
    for section in _some_sections(image, rng):
        sigma = rng.uniform(*DEFOCUS)
        changed[:, section] = gaussian_filter(image[:, section], sigma, axes=(-2, -1), truncate=3)
    return changed


def _sections(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Contrast and brightness, drawn for each channel of each section."""
    each = (*image.shape[:2], 1, 1)
    contrast = rng.uniform(*SECTION_CONTRAST, each).astype(np.float32)
    brightness = rng.uniform(-SECTION_BRIGHTNESS, SECTION_BRIGHTNESS, each).astype(np.float32)
    mean = image.mean(axis=(-2, -1), keepdims=True)
    return mean + (image - mean) * contrast + brightness


def _missing(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lost sections are blank in all channels: half of them black (0), the others of any grey up to white (1)."""
    lost = _some_sections(image, rng)
    changed = image.copy()
    changed[:, lost] = np.maximum(rng.uniform(-1, 1, (len(lost), 1, 1)), 0)
    return changed


# In the order in which light (or the electron) meets them: optics, response, detector, and what was never recorded.
INTENSITY: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "blur": _blur,
    "defocus": _defocus,
    "gamma": _gamma,
    "contrast": _contrast,
    "brightness": _brightness,
    "sections": _sections,
    "noise": _noise,
    "missing": _missing,
}
"""What changes grey values, of all sections alike: ``blur``, ``gamma``, ``contrast``, ``brightness``, ``noise``.
Of volumes only: some sections out of focus (``defocus``), contrast and brightness that differ from section to section
(``sections``), and some sections blank (``missing``), which the labels do not show."""

VOLUMES_ONLY = ("misalign", "defocus", "sections", "missing")
"""Names of either registry that act on single sections: for ``(z, y, x)`` only."""


def apply_intensity(names: Sequence[str], image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change a normalised float32 image ``(C, *space)`` by each of ``names``, keys of `INTENSITY`, or not.

    Raises `UserError` for names that are unknown, or that need sections where the image has none.
    """
    check_names((), names, image.ndim - 1)
    for name, change in INTENSITY.items():
        if name in names and rng.random() < INTENSITY_CHANCE:
            image = change(image, rng)
    return image


def check_names(geometry: Sequence[str], intensity: Sequence[str], ndim: int) -> None:
    """Raise `UserError` for a name in neither registry's keys, and for one of `VOLUMES_ONLY` where ``ndim`` is 2."""
    for name in geometry:
        choose("geometry augmentation", name, GEOMETRY)
    for name in intensity:
        choose("intensity augmentation", name, INTENSITY)
    for name in (*geometry, *intensity):
        if ndim == 2 and name in VOLUMES_ONLY:
            raise UserError(f"augmentation {name!r} came for 2-D images; wanted volumes (z, y, x); leave it out")
