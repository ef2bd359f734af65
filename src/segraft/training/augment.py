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
CHANCES = {"debris": 0.2, "hot": 0.3}
"""Of what is rare in real images, and yet to be learnt."""
GAINS = (0.45, 2.2)
"""Smallest and largest factor by which a scale is wrong."""
HOT = (1.0, 4.5)
"""Values of hot pixels; 1 + log x of what is 30 times as bright as the objects is 4.4."""
HOT_SHARE = (1e-4, 6e-3)
"""Smallest and largest part of the pixels that is hot."""
DEBRIS = (1.2, 4.5)
"""Values of debris."""
DEBRIS_SHARE, DEBRIS_PIECES = 0.01, 3
"""Largest part of the plane that one piece takes, and how many there are at most."""
BLANK_LEVEL, BLANK_NOISE = 0.6, 0.3
"""Highest level, and largest standard deviation, of images that show nothing."""
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


def _gain(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scale that was measured wrong, about 0, where the background is."""
    return image * np.exp(_per_channel(rng, math.log(GAINS[0]), math.log(GAINS[1]), image))


def _brightness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image + _per_channel(rng, -0.1, 0.1, image)


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    deviation = np.float32(rng.uniform(0, 0.1))
    return image + deviation * rng.standard_normal(image.shape, dtype=np.float32)


def _hot(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Single pixels far brighter than anything that is real, the same in all channels."""
    space, share = image.shape[1:], math.exp(rng.uniform(*np.log(HOT_SHARE)))
    count = max(1, round(share * math.prod(space)))
    changed = image.copy()
    changed[(slice(None), *rng.integers(0, np.array(space)[:, None], (len(space), count)))] = rng.uniform(*HOT, count)
    return changed


def _debris(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flat, bright and sharp pieces that are no objects: dirt, scale bars, letters; rectangles and ellipses."""
    changed, (y, x) = image.copy(), image.shape[-2:]
    rows, columns = np.ogrid[:y, :x]
    for _ in range(rng.integers(1, DEBRIS_PIECES + 1)):
        area = DEBRIS_SHARE * y * x * rng.uniform(0.05, 1)
        stretch = math.exp(rng.uniform(-3.2, 3.2))
        height, width = max(math.sqrt(area * stretch), 2), max(math.sqrt(area / stretch), 2)
        down, across = (rows - rng.uniform(0, y)) / height, (columns - rng.uniform(0, x)) / width
        round_ = rng.random() < 0.5
        inside = np.hypot(down, across) < 0.5 if round_ else np.maximum(abs(down), abs(across)) < 0.5
        changed[..., inside] = rng.uniform(*DEBRIS)
    return changed


def blank(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """An image ``(C, *space)`` that shows nothing but noise, white or smooth, about any dark level."""
    level, deviation = rng.uniform(0, BLANK_LEVEL), rng.uniform(0, BLANK_NOISE)
    noise = rng.standard_normal(shape, dtype=np.float32)
    if rng.random() < 0.5:
        noise = gaussian_filter(noise, rng.uniform(0.3, 1.5), axes=(-2, -1), truncate=3)
        noise /= max(float(noise.std()), 1e-6)
    return np.maximum(np.float32(level) + np.float32(deviation) * noise, 0)


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
    "gain": _gain,
    "brightness": _brightness,
    "sections": _sections,
    "noise": _noise,
    "debris": _debris,
    "hot": _hot,
    "missing": _missing,
}
"""What changes grey values, of all sections alike: ``blur``, ``gamma``, ``contrast``, ``gain`` (a scale that was
measured wrong), ``brightness``, ``noise``, ``debris``, ``hot`` (single pixels). Of volumes only: some sections out of
focus (``defocus``), contrast and brightness that differ from section to section (``sections``), and some sections
blank (``missing``), which the labels do not show."""
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
        if name in names and rng.random() < CHANCES.get(name, INTENSITY_CHANCE):
            image = change(image, rng)
    return image


def check_names(geometry: Sequence[str], intensity: Sequence[str], ndim: int) -> None:
    """Raise `UserError` for a name in neither registry's keys, and for one of `VOLUMES_ONLY` where ``ndim`` is 2."""
    transforms.check("geometry", geometry, GEOMETRY, transforms.SECTIONS_ONLY, ndim)
    transforms.check("intensity", intensity, INTENSITY, SECTIONS_ONLY, ndim)
