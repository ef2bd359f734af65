"""Augmentation in two stages: *geometry* moves pixels of image and labels, *intensity* changes grey values.

Both stages draw from a generator that is handed in, in the order of their registries whatever order the user
names. Flips reach all axes; turns, rotation, scale and elastic deformation act within the ``(y, x)`` plane and on all
sections alike, because the sections of an anisotropic volume do not mix. What goes wrong with single sections of an
electron microscope's volume (Lee et al. 2017, arXiv 1706.00120) has names of its own: those of `VOLUMES_ONLY`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from segraft.training import transforms
from segraft.training.transforms import GEOMETRY

INTENSITY_CHANCE = 0.5
SECTION_CHANCE = 0.05
"""Of each section to be missing or out of focus where a patch has any such; one at least is."""
DEFOCUS = (1.0, 4.0)
"""Standard deviation of the blur of a section out of focus, in pixels."""
SECTION_CONTRAST = (0.8, 1.25)
SECTION_BRIGHTNESS = 0.1


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
SECTIONS_ONLY = ("defocus", "sections", "missing")
"""Names that act on single sections: for ``(z, y, x)`` only."""
VOLUMES_ONLY = (*transforms.SECTIONS_ONLY, *SECTIONS_ONLY)
"""The same, of either registry."""


def apply_intensity(names: Sequence[str], image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change a normalised float32 image ``(C, *space)`` by each of ``names``, keys of `INTENSITY`, or not.

    Raises `UserError` for names that are unknown, or that need sections where the image has none.
    """
    transforms.check("intensity", names, INTENSITY, SECTIONS_ONLY, image.ndim - 1)
    for name, change in INTENSITY.items():
        if name in names and rng.random() < INTENSITY_CHANCE:
            image = change(image, rng)
    return image


def check_names(geometry: Sequence[str], intensity: Sequence[str], ndim: int) -> None:
    """Raise `UserError` for a name in neither registry's keys, and for one of `VOLUMES_ONLY` where ``ndim`` is 2."""
    transforms.check("geometry", geometry, GEOMETRY, transforms.SECTIONS_ONLY, ndim)
    transforms.check("intensity", intensity, INTENSITY, SECTIONS_ONLY, ndim)
