"""The images on which an export is compared with the original."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segraft.data import open_dataset
from segraft.data.choice import DataChoice
from segraft.data.samples import LazySamples
from segraft.errors import UserError
from segraft.images.listing import list_images
from segraft.images.reading import read_image
from segraft.images.windows import crop
from segraft.model.model import Model
from segraft.run_folder import RunFolder
from segraft.types import Sample

SIDE = {2: 512, 3: 96}
"""Pixels per side of a window at most, by dimension, unless the network takes no smaller ones."""


@dataclass(frozen=True)
class Shown:
    """Images, with or without labels, and what they are in words; without any a window is noise."""

    samples: Sequence
    told: str = "noise, for no images are at hand (--images)"

    def some(self, count: int) -> Sequence:
        """At most so many of them, from the first to the last."""
        if len(self.samples) <= count:
            return self.samples
        spread = np.linspace(0, len(self.samples) - 1, count).round().astype(int)
        return LazySamples(tuple(spread.tolist()), self.samples.__getitem__)

    def windows(self, model: Model, count: int) -> list[np.ndarray]:
        """The middles ``(C, *w)`` of so many images, as the network sees them."""
        some = self.some(count)
        return [_window(model, some[index]) for index in range(len(some))] or [_noise(model)]


def shown(run: Path, images: Sequence[str | Path], data: DataChoice) -> Shown:
    """The images that the user names, or a data set, or else the validation images of a run folder.

    Raises ``UserError`` for files and a data set together, and where they cannot be found.
    """
    if images or data.name is not None or data.root is not None or data.options:
        data.check("images", bool(images))
        if images:
            return Shown(LazySamples(tuple(list_images(images)), _read), "the given images")
        return Shown(data.open(), f"{data.name} ({data.split})")
    samples = _validated(run)
    return Shown(samples, "validation images") if samples else Shown(())


def _read(path: Path) -> Sample:
    return Sample(read_image(path), None, str(path))


def _validated(run: Path) -> Sequence:
    """The validation images of a run folder; none where it is none, or they cannot be read any more."""
    folder = RunFolder(run)
    if not folder.config.exists():
        return ()
    try:
        data = folder.data()
        samples = open_dataset(data.name, data.root, "val", **data.options)
        return samples if len(samples) and samples[0] else ()
    except UserError:
        return ()


def _window(model: Model, sample: Sample) -> np.ndarray:
    """The middle of an image, or as much of it as the network takes at once, scaled as the model does."""
    try:
        stored = model.channels_first(sample.image)
        scale = model.config.normalisation.scale(stored)
    except UserError as error:
        raise UserError(f"{sample.name}: {error}") from error
    limit = SIDE[model.geometry.ndim]
    size = model.geometry.nearest_input(tuple(min(side, limit) for side in stored.shape[1:]), math.floor)
    starts = ((side - wanted) // 2 for side, wanted in zip(stored.shape[1:], size, strict=True))
    return scale(crop(stored, tuple(slice(start, start + wanted) for start, wanted in zip(starts, size, strict=True))))


def _noise(model: Model) -> np.ndarray:
    size = model.geometry.nearest_input((SIDE[model.geometry.ndim],) * model.geometry.ndim, math.floor)
    return np.random.default_rng(0).normal(size=(model.geometry.in_channels, *size)).astype(np.float32)
