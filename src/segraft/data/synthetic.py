"""Crowded cells under a simulated fluorescence microscope, generated from a seed.

Cells are deformed ellipses that gather in clumps. Neighbours press against each other along a common border or
lie partly on top of each other. The image adds texture, membranes, out-of-focus haze, uneven illumination, blur,
photon and read-out noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from segraft.data.samples import LazySamples
from segraft.errors import UserError, choose
from segraft.types import Sample

COUNTS = {"train": 64, "val": 16, "test": 16}
"""Images per split by default; the order also numbers the splits' random streams."""

HALF = 27
"""Half the side, in pixels, of the window into which every cell fits."""
DIRECTIONS = 256
RADII = (8.5, 15.0)
PRESSED = 0.1
"""Largest fraction of a cell that is cut off by its neighbours where overlap is not allowed."""
VISIBLE = 0.25
"""Fraction of a cell that is never covered, whatever the occlusion."""
CLUMPED = 0.8
SITES = 16
"""Random places that are tried for one cell."""
PATIENCE = 100
"""Number of cells without room in a row after which the image counts as full."""


def synthetic(
    root: str | Path | None,
    split: str,
    *,
    count: int | None = None,
    size: Sequence[int] = (256, 256),
    density: float = 0.5,
    occlusion: float = 0.3,
    seed: int = 0,
) -> LazySamples:
    """Return cells, generated when they are indexed: images ``(1, y, x)`` uint16 and labels ``(y, x)`` int32.

    Image i depends on ``(seed, split, i)`` and the settings only; no two splits share an image.

    Parameters
    ----------
    root : ignored, nothing is read
    split : "train", "val" or "test"
    count : number of images; None takes the split's usual number
    size : ``(y, x)`` in pixels
    density : fraction of the area to cover with cells, 0 < density < 1; crowds without occlusion reach about 0.8
    occlusion : fraction of a cell, 0 to 1, that may lie above its neighbours or be hidden below them

    Raises
    ------
    UserError : an unknown split or a value outside its range
    """
    count = checked_count(split, count, COUNTS)
    if len(size) != 2 or min(size) < 1:
        raise UserError(f"size: got {tuple(size)}, expected two positive sizes; give (y, x) in pixels")
    checked_density(density)
    if not 0 <= occlusion <= 1:
        raise UserError(f"occlusion: got {occlusion}, expected 0 to 1; give the fraction of a cell that may be hidden")
    if seed < 0:
        raise UserError(f"seed: got {seed}, expected an integer of 0 or more; give another")
    read = partial(generate, split=split, size=(size[0], size[1]), density=density, occlusion=occlusion, seed=seed)
    return LazySamples(tuple(range(count)), read)


def checked_count(split: str, count: int | None, usual: dict[str, int]) -> int:
    """Return the number of images of a split, ``count`` or the usual one. Raises ``UserError`` for less than one."""
    default = choose("split", split, usual)
    count = default if count is None else count
    if count < 1:
        raise UserError(f"count: got {count}, expected at least one image; give a larger count")
    return count


def checked_density(density: float) -> None:
    """Raise ``UserError`` unless a density lies between 0 and 1, both excluded."""
    if not 0 < density < 1:
        raise UserError(f"density: got {density}, expected more than 0 and less than 1; give the fraction to cover")


def random_stream(split: str, index: int, seed: int) -> np.random.Generator:
    """Return a generator that depends on these three only."""
    stream = (list(COUNTS).index(split), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))


def generate(index: int, split: str, size: tuple[int, int], density: float, occlusion: float, seed: int) -> Sample:
    """Make image ``index`` of a split; see ``synthetic``."""
    rng = random_stream(split, index, seed)
    colony = Colony(size, rng)
    colony.fill(density, occlusion)
    image = expose(colony.light[colony.inner], rng)
    return Sample(image[None], colony.visible(), f"{split}-{index:04d}")


@dataclass(frozen=True)
class Cell:
    """A proposed cell: its centre on the canvas, its radius in pixels, its mask in a window around the centre."""

    centre: tuple[int, int]
    radius: float
    mask: np.ndarray

    @property
    def window(self) -> tuple[slice, slice]:
        y, x = self.centre
        return slice(y - HALF, y + HALF + 1), slice(x - HALF, x + HALF + 1)


class Colony:
    """Cells on a canvas that is wider than the image, so that the image's border cuts through cells.

    ``labels`` and ``light`` are the canvas; ``inner`` is the image's place in it; ``areas`` has each cell's
    area before others covered part of it.
    """

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        canvas = (size[0] + 3 * HALF, size[1] + 3 * HALF)
        begin = (canvas[0] - size[0]) // 2
        self.inner = tuple(slice(begin, begin + extent) for extent in size)
        self.labels = np.zeros(canvas, np.int32)
        self.light = np.zeros(canvas, np.float32)
        self.areas: list[int] = []
        self._cells: list[Cell] = []
        self._rng = rng
        self._radius = rng.uniform(*RADII)
        # Either a stain of the interior, dim at the border, or one that also marks the membrane.
        self._membrane = rng.choice([0.0, 1.0]) * rng.uniform(0.6, 0.9)
        self._texture = _texture(canvas, rng)

    def visible(self) -> np.ndarray:
        """Return the image's labels ``(y, x)``, numbered from 1 in the order in which the cells were added; int32."""
        seen = np.bincount(self.labels[self.inner].ravel(), minlength=1) > 0
        seen[0] = False
        return (np.cumsum(seen) * seen).astype(np.int32)[self.labels[self.inner]]

    def fill(self, density: float, occlusion: float) -> None:
        """Add cells until they cover ``density`` of the image or no more room is found."""
        refused = 0
        enough = density * self.labels[self.inner].size
        while refused < PATIENCE and np.count_nonzero(self.labels[self.inner]) < enough:
            # Smaller cells after every refusal: they fit into what is left.
            radius = float(np.clip(self._radius * self._rng.lognormal(0, 0.2), 6, 18)) * max(0.98**refused, 0.5)
            centre = self._site(radius, occlusion)
            cell = None if centre is None else Cell(centre, radius, _shape(radius, self._rng))
            mask = None if cell is None else self._settle(cell, occlusion)
            if cell is None or mask is None:
                refused += 1
            else:
                refused = 0
                self._draw(cell, mask)

    def _site(self, radius: float, occlusion: float) -> tuple[int, int] | None:
        """Return a centre beside another cell, as close as ``occlusion`` allows, or anywhere; None if none is free."""
        rng = self._rng
        if self._cells and rng.random() < CLUMPED:
            other = self._cells[rng.integers(len(self._cells))]
            distance = (other.radius + radius) * (1 - occlusion * rng.random(SITES))
            angle = rng.uniform(0, 2 * math.pi, SITES)
            y, x = other.centre[0] + distance * np.sin(angle), other.centre[1] + distance * np.cos(angle)
        else:
            y, x = (rng.uniform(HALF, extent - HALF, SITES) for extent in self.labels.shape)
        height, width = self.labels.shape
        inside = (y >= HALF) & (y < height - HALF) & (x >= HALF) & (x < width - HALF)
        y, x = y[inside].astype(int), x[inside].astype(int)
        # A cell whose centre is covered lies on others by half: no need to try it.
        free = np.flatnonzero((self.labels[y, x] == 0) | (occlusion >= 0.5))
        return (int(y[free[0]]), int(x[free[0]])) if len(free) else None

    def _settle(self, cell: Cell, occlusion: float) -> np.ndarray | None:
        """Return the visible mask of a proposed cell: whole, above others, or its free part; None without room."""
        below = self.labels[cell.window]
        ids, hidden = np.unique(below[cell.mask], return_counts=True)
        hidden, ids = hidden[ids > 0], ids[ids > 0]
        overlap = hidden.sum() / cell.mask.sum()
        if overlap <= occlusion and all(
            self._may_hide(*pair, occlusion) for pair in zip(ids.tolist(), hidden.tolist(), strict=True)
        ):
            return cell.mask
        return cell.mask & (below == 0) if overlap <= PRESSED else None

    def _may_hide(self, number: int, more: int, occlusion: float) -> bool:
        """Return whether enough of a cell stays visible when ``more`` of its pixels are covered."""
        left = np.count_nonzero(self.labels[self._cells[number - 1].window] == number) - more
        return bool(left >= max(1 - occlusion, VISIBLE) * self.areas[number - 1])

    def _draw(self, cell: Cell, mask: np.ndarray) -> None:
        """Write a cell into the labels, and its light on top of a part of the light from below."""
        rng = self._rng
        depth = distance_transform_edt(mask)
        y, x = (int(rng.integers(HALF, extent - HALF)) for extent in self.labels.shape)
        grain = self._texture[y - HALF : y + HALF + 1, x - HALF : x + HALF + 1]
        body = 0.4 + 0.6 * np.minimum(depth / (0.6 * cell.radius), 1)
        membrane = self._membrane * np.exp(-(((depth - 1.5) / 1.2) ** 2))
        grainy = body * np.maximum(1 + rng.uniform(0.1, 0.3) * grain, 0.2)
        light = rng.lognormal(0, 0.3) * (grainy + membrane)
        below = self.light[cell.window]
        below[mask] = light[mask] + 0.4 * below[mask]
        self._cells.append(cell)
        self.areas.append(int(mask.sum()))
        self.labels[cell.window][mask] = len(self._cells)


@cache
def _polar() -> tuple[np.ndarray, np.ndarray]:
    """Return distance, in pixels, and direction, 0 .. DIRECTIONS - 1, of a window's pixels from its centre."""
    y, x = np.mgrid[-HALF : HALF + 1, -HALF : HALF + 1]
    direction = np.rint(np.arctan2(y, x) * DIRECTIONS / (2 * math.pi)).astype(np.intp)
    return np.hypot(y, x).astype(np.float32), direction % DIRECTIONS


def _shape(radius: float, rng: np.random.Generator) -> np.ndarray:
    """Return the mask of an ellipse with the area of a circle of ``radius``, deformed by harmonics two to five."""
    distance, direction = _polar()
    angle = np.arange(DIRECTIONS) * (2 * math.pi / DIRECTIONS) - rng.uniform(0, 2 * math.pi)
    stretch = math.sqrt(rng.uniform(1, 1.9))
    border = radius / np.hypot(np.cos(angle) / stretch, np.sin(angle) * stretch)
    harmonic = np.arange(2, 6)[:, None]
    waves = np.cos(harmonic * angle + rng.uniform(0, 2 * math.pi, (4, 1)))
    border = border * np.prod(1 + rng.normal(0, 0.1 / harmonic) * waves, axis=0)
    return np.asarray(distance < np.clip(border, 2, HALF - 1).astype(np.float32)[direction])


def _texture(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return cloudy noise of two scales, with mean 0 and standard deviation about 1."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    # White noise smoothed by a Gaussian of width s keeps a deviation of 1 / (2 s sqrt(pi)).
    fine, coarse = (gaussian_filter(noise, s) * (2 * s * math.sqrt(math.pi)) for s in (1.2, 4.0))
    return (0.6 * fine + 0.8 * coarse).astype(np.float32)


def expose(light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the image of ``light (y, x)``: blur, haze, illumination, photon and read-out noise; uint16, same shape."""
    sharp = gaussian_filter(light, rng.uniform(0.7, 1.3))
    haze = gaussian_filter(light, rng.uniform(8, 16), mode="nearest", truncate=2)
    scene = sharp + rng.uniform(0.1, 0.35) * haze + rng.uniform(0.02, 0.1)
    photons = rng.poisson(rng.uniform(30, 120) * _illumination(light.shape, rng) * scene)
    counts = 200 + rng.uniform(5, 20) * (photons + rng.normal(0, 2, light.shape))
    return np.clip(np.rint(counts), 0, 65535).astype(np.uint16)


def _illumination(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return uneven illumination ``shape``: brightest at a random place, 0.4 to 0.8 of that at the far side."""
    y, x = np.meshgrid(*(np.linspace(0, 1, extent) for extent in shape), indexing="ij")
    distance = (y - rng.uniform(0, 1)) ** 2 + (x - rng.uniform(0, 1)) ** 2
    return np.exp(-rng.uniform(0.2, 0.9) * distance / distance.max())
