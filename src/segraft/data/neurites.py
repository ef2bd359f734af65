"""Dense neurites under a simulated electron microscope, generated from a seed.

Processes are curved tubes that run through a volume of thick serial sections. They grow until they touch, and dark
membranes part them. The image adds cytoplasm of different tone and texture, mitochondria, membranes that blur where
they are cut obliquely, shifts, contrast and noise of each section.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from segraft.data.samples import LazySamples
from segraft.data.synthetic import checked_count, checked_density, random_stream
from segraft.errors import UserError
from segraft.types import Sample

COUNTS = {"train": 4, "val": 1, "test": 1}
"""Volumes per split by default."""

VOXEL_SIZE = (40.0, 8.0, 8.0)
"""``(z, y, x)`` in nm: sections are five times as thick as a pixel is wide."""
ANISOTROPY = VOXEL_SIZE[0] / VOXEL_SIZE[1]
STEP = 2.0
"""Length of one step along a tube, in pixels."""
SITES = 12
"""Random places that are compared for the start of one tube."""
PATIENCE = 30
"""Number of tubes without room in a row after which the volume counts as full."""


def neurites(
    root: str | Path | None,
    split: str,
    *,
    count: int | None = None,
    size: Sequence[int] = (32, 160, 160),
    density: float = 0.95,
    calibre: float = 24.0,
    seed: int = 0,
) -> LazySamples:
    """Return neurites, generated when they are indexed: volumes ``(1, z, y, x)`` uint8, labels ``(z, y, x)`` int32.

    Volume i depends on ``(seed, split, i)`` and the settings only; no two splits share a volume. Voxels are
    40 × 8 × 8 nm. As in real ground truth, labels are dense: a membrane belongs to the processes on its two sides.

    Parameters
    ----------
    root : ignored, nothing is read
    split : "train", "val" or "test"
    count : number of volumes; None takes the split's usual number
    size : ``(z, y, x)`` in voxels
    density : fraction of the volume to fill with processes, 0 < density <= 1; the rest is extracellular space, label 0
    calibre : typical diameter of a process in pixels, 6 or more; small ones make many

    Raises
    ------
    UserError : an unknown split or a value outside its range
    """
    count = checked_count(split, count, COUNTS)
    if len(size) != 3 or min(size) < 1:
        raise UserError(f"size: got {tuple(size)}, expected three positive sizes; give (z, y, x) in voxels")
    if density != 1:
        checked_density(density)
    if not 6 <= calibre < np.inf:
        raise UserError(f"calibre: got {calibre}, expected 6 or more; give the diameter of a process in pixels")
    if seed < 0:
        raise UserError(f"seed: got {seed}, expected an integer of 0 or more; give another")
    shape = (size[0], size[1], size[2])
    read = partial(generate, split=split, size=shape, density=density, calibre=calibre, seed=seed)
    return LazySamples(tuple(range(count)), read)


def generate(index: int, split: str, size: tuple[int, int, int], density: float, calibre: float, seed: int) -> Sample:
    """Make volume ``index`` of a split; see ``neurites``."""
    rng = random_stream(split, index, seed)
    tubes = Tubes(size, calibre, rng)
    tubes.fill()
    labels = warp(grow(tubes.labels, density), rng)
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int32) + (labels.min() > 0)
    return Sample(section(labels, rng)[None], labels, f"{split}-{index:04d}", VOXEL_SIZE)


class Tubes:
    """Thin curved tubes that do not touch: the cores from which the processes grow.

    ``labels (z, y, x)`` int32 has their numbers from 1. Lengths are in pixels; a section is ``ANISOTROPY`` thick.
    """

    def __init__(self, size: tuple[int, int, int], calibre: float, rng: np.random.Generator) -> None:
        self.labels = np.zeros(size, np.int32)
        self._extent = np.array(size) * np.array([ANISOTROPY, 1, 1])
        self._calibre, self._rng = calibre, rng
        self._points = np.zeros((0, 3))

    def fill(self) -> None:
        """Add tubes until there is one for every process of this calibre that the volume has room for."""
        enough, length, refused, number = self._extent.prod() / self._calibre**2, 0.0, 0, 0
        while length < enough and refused < PATIENCE:
            path = self._grow_tube(number + 1)
            refused = 0 if len(path) else refused + 1
            number += bool(len(path))
            length += STEP * len(path)
            self._points = np.concatenate([self._points, path])

    def _grow_tube(self, number: int) -> np.ndarray:
        """Draw one tube both ways from a free place, until it leaves or meets others; its points ``(n, 3)``."""
        rng, start = self._rng, self._site()
        radius = float(np.clip(rng.lognormal(np.log(0.12 * self._calibre), 0.5), 1, 0.6 * self._calibre))
        direction = rng.normal(size=3) * (1.5, 1, 1)  # rather across the sections
        ball = _ball(radius)
        paths = [self._walk(number, start, sign * direction, ball) for sign in (1, -1)]
        return np.concatenate(paths)

    def _site(self) -> np.ndarray:
        """Return the one of some random places that is farthest from all tubes."""
        places = self._rng.uniform(0, 1, (SITES, 3)) * self._extent
        if not len(self._points):
            return places[0]
        apart = ((places[:, None] - self._points[None]) ** 2).sum(axis=-1).min(axis=1)
        return np.asarray(places[apart.argmax()])

    def _walk(self, number: int, point: np.ndarray, direction: np.ndarray, ball: np.ndarray) -> np.ndarray:
        """Walk from a point in small steps that turn at random, mark the voxels, and return the points ``(n, 3)``."""
        path = []
        direction = direction / np.linalg.norm(direction)
        turns = self._rng.normal(0, 0.12, (int(2 * self._extent.max() / STEP), 3))
        for turn in turns:
            if not ((point >= 0) & (point < self._extent)).all() or not self._mark(number, point, ball):
                break
            path.append(point)
            direction = direction + turn
            direction /= np.linalg.norm(direction)
            point = point + STEP * direction
        return np.array(path).reshape(-1, 3)

    def _mark(self, number: int, point: np.ndarray, ball: np.ndarray) -> bool:
        """Mark a ball around a point; return False, and mark nothing, if another tube is in it."""
        places = ball + (point / (ANISOTROPY, 1, 1)).astype(int)
        z, y, x = places[((places >= 0) & (places < self.labels.shape)).all(axis=1)].T
        there = self.labels[z, y, x]
        if ((there != 0) & (there != number)).any():
            return False
        self.labels[z, y, x] = number
        return True


def _ball(radius: float) -> np.ndarray:
    """Return the offsets ``(n, 3)`` of voxels whose centres lie within ``radius`` pixels of a voxel's centre."""
    reach = int(radius)
    places = np.mgrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1].reshape(3, -1).T
    return places[((places * (ANISOTROPY, 1, 1)) ** 2).sum(axis=1) <= radius**2]


def grow(cores: np.ndarray, density: float) -> np.ndarray:
    """Let cores ``(z, y, x)`` grow at one speed until they fill ``density`` of the volume or meet."""
    distance, nearest = distance_transform_edt(cores == 0, sampling=(ANISOTROPY, 1, 1), return_indices=True)
    labels = cores[tuple(nearest)]
    if density < 1:
        empty = np.argpartition(distance.ravel(), int(density * distance.size))[int(density * distance.size) :]
        labels.ravel()[empty] = 0
    return np.asarray(labels)


def warp(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deform labels ``(z, y, x)`` smoothly within the sections, and shift each section a little."""
    depth, height, width = labels.shape
    bend = [3 * _grain(labels.shape, (1.5, 6.0, 6.0), rng) for _ in range(2)]
    shift = rng.normal(0, 0.5, (2, depth, 1, 1))
    grid = np.ogrid[:depth, :height, :width]
    moved = [
        np.clip(np.rint(grid[axis + 1] + bend[axis] + shift[axis]), 0, extent - 1).astype(np.intp)
        for axis, extent in enumerate((height, width))
    ]
    return np.asarray(labels[grid[0], moved[0], moved[1]])


def section(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make the image of labels ``(z, y, x)``, section by section; uint8, same shape."""
    tone = rng.normal(0.66, 0.05, int(labels.max()) + 1).astype(np.float32)
    tone[0] = 0.8  # extracellular space is clear
    membrane = _membranes(labels)
    light = tone[labels] * (1 + 0.09 * _grain(labels.shape, (0.3, 1.2, 1.2), rng))
    organelles = (_grain(labels.shape, (1.2, 4.0, 4.0), rng) > 1.6) & (labels > 0) & (membrane < 0.1)
    light -= 0.22 * gaussian_filter(organelles.astype(np.float32), (0, 0.8, 0.8))
    light *= 1 - 0.75 * np.minimum(membrane, 1)
    light = gaussian_filter(light, (0, 0.6, 0.6))
    each = (len(labels), 1, 1)
    light = 0.6 + rng.normal(1, 0.08, each) * (light - 0.6) + rng.normal(0, 0.02, each)
    light += rng.uniform(0.03, 0.06, each) * rng.standard_normal(labels.shape, np.float32)
    return np.clip(np.rint(255 * light), 0, 255).astype(np.uint8)


def _membranes(labels: np.ndarray) -> np.ndarray:
    """Return the amount of membrane in each voxel: about 1 between processes, less where it is cut obliquely."""
    edge = np.zeros(labels.shape, np.float32)
    for axis, weight in ((0, 0.3), (1, 1.0), (2, 1.0)):
        lower = [slice(None)] * 3
        upper = [slice(None)] * 3
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        differs = weight * (labels[tuple(lower)] != labels[tuple(upper)])
        for side in (lower, upper):
            np.maximum(edge[tuple(side)], differs, out=edge[tuple(side)])
    return gaussian_filter(edge, (0, 0.9, 0.9)) * 1.4


def _grain(shape: tuple[int, ...], widths: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Return smoothed noise of mean 0 and standard deviation 1."""
    noise = gaussian_filter(rng.standard_normal(shape, np.float32), widths)
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)
