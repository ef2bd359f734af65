"""The options of a prediction, checked before the first image is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from segraft.errors import UserError, choose
from segraft.images.normalisation import Scale, check_percentiles, check_pixels
from segraft.model.config import ModelConfig, Segmentation
from segraft.model.runner import Runner
from segraft.model.tile_memory import fitting_tile
from segraft.types import Space

TILE = 1024
"""Side of the core of an automatic tile of an image."""
LARGE = 2048**2
"""Images of more pixels are cut into tiles."""
VOLUME = 4.0
"""Gigabytes that a tile of a volume may take by default."""
UNKNOWN_SIZE = (
    "object size: the model does not know that of its training images; give scale, the factor that brings objects to "
    "it, instead"
)
AUTO = "auto"
"""The object size that is measured on each image."""
NORMALISE = {"image": "each by itself", "series": "all alike", "training": "as the training images together"}
"""What the scale of grey values is measured on."""
LARGEST_SCALE = 50
"""Scales beyond this (or below its inverse) are taken for a mistaken unit."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions:
    """How images are to be segmented, where it differs from what is stored with the model; see ``Model.predict``."""

    segmenter: str | None = None
    foreground_threshold: float | None = None
    thickness: float | None = None
    """In pixels of the training images."""
    minimum_size: int | None = None
    """In pixels of the image."""
    fill: bool | None = None
    tile: int | Sequence[int] | None = None
    max_memory: float | None = None
    """In gigabytes."""
    scale: float | Sequence[float] | None = None
    voxel_size: float | Sequence[float] | None = None
    """In nm; it decides the scale where none is given."""
    object_size: float | str | None = None
    """Diameter of the objects in pixels, or `AUTO`; it decides the scale."""
    channels: Sequence[int] | None = None
    percentiles: tuple[float, float] | None = None
    range: Sequence[float] | None = None
    """Grey values that become 0 and 1: two, or two per channel."""
    normalise: str | None = None
    """A name of `NORMALISE`, other than ``series``, of which the `range` is known."""

    def __post_init__(self) -> None:
        """Refuse what no model could do."""
        self._check_scaling()
        Segmentation().changed(**self._choices(self.minimum_size))
        if self.tile is not None and self.max_memory is not None:
            raise UserError("got both tile and max memory, expected one of them; omit the other")

    def check(self, runner: Runner, config: ModelConfig) -> None:
        """Raise ``UserError`` for what this model cannot do, whatever the image; nothing is computed."""
        ndim = runner.geometry.ndim
        if self.normalise == "training":
            _trained(config)
        if self.range is not None:
            _pairs_for(self.range, runner.geometry.in_channels)
        if self.object_size is not None and config.object_size is None:
            raise UserError(UNKNOWN_SIZE)
        self.factors(config, ndim)
        self.tile_shape(runner, config, (1,) * ndim)
        nothing = np.zeros((len(config.offsets), *(1,) * ndim), np.float32)
        self.segmentation(config).segment(nothing, config.offsets, np.zeros((1,) * ndim, bool))

    def _check_scaling(self) -> None:
        choose("normalise", self.normalise or "image", NORMALISE)
        self._check_object_size()
        if self.percentiles is not None:
            check_percentiles(self.percentiles)
        if self.range is not None:
            _pairs(self.range)
        given = {"range": self.range is not None, "normalise": self.normalise == "training"}
        given["percentiles"] = self.percentiles is not None
        told = [name for name in given if given[name]]
        if len(told) > 1:
            raise UserError(
                f"got {' and '.join(told)}, expected one of them, for each tells the scale; omit the others"
            )
        if self.normalise == "series":
            raise UserError(
                "normalise series: got one image, expected all of them to measure; take Model.measure, and its range"
            )

    def _check_object_size(self) -> None:
        if self.object_size is None:
            return
        if self.scale is not None:
            raise UserError("got both scale and object size, expected one of them, for each tells the scale; omit one")
        size = self.object_size
        if size != AUTO and (isinstance(size, str) or not (math.isfinite(size) and size > 0)):
            raise UserError(f"object size: got {size!r}, expected a diameter in pixels, or {AUTO}; change it")

    def scale_of(self, image: np.ndarray, config: ModelConfig) -> Scale:
        """The map of the grey values of an image ``(C, *space)``.

        Raises ``UserError`` for pixels that cannot be scaled, for a range of other channels, and where the range of the
        training images is asked for and not known.
        """
        usual = config.normalisation
        if self.normalise != "training" and self.range is None:
            return replace(usual, percentiles=self.percentiles or usual.percentiles).scale(image)
        check_pixels(image, "an image")
        if self.range is not None:
            return Scale(_pairs_for(self.range, len(image)), usual.compressed)
        if config.pixel_type not in (None, image.dtype.name):
            raise UserError(
                f"normalise training: got pixels of {image.dtype.name}, expected {config.pixel_type} as the training "
                "images have, for both get one scale; convert it, or give a range"
            )
        return Scale(_trained(config), usual.compressed)

    def segmentation(self, config: ModelConfig, shrinkage: float = 1.0) -> Segmentation:
        """The stored segmentation with the user's choices.

        ``shrinkage`` is what part of an image's pixels is left after rescaling: a minimum size in pixels of the image
        is brought to those of the training images.
        """
        size = None if self.minimum_size is None else round(self.minimum_size * shrinkage)
        return config.segmentation.changed(**self._choices(size))

    def _choices(self, minimum_size: int | None) -> dict[str, str | float | None]:
        return {
            "segmenter": self.segmenter,
            "foreground_threshold": self.foreground_threshold,
            "thickness": self.thickness,
            "minimum_size": minimum_size,
            "fill": self.fill,
        }

    def factors(self, config: ModelConfig, ndim: int) -> tuple[float, ...]:
        """Factor per axis from the image's pixels to those of the training images; ``UserError`` for none such."""
        size, trained = self.pixel_size(ndim), config.voxel_size
        if self.scale is not None:
            name, factors = "scale", _positive("scale", self.scale, ndim)
        elif size is None:
            return (1.0,) * ndim
        elif not trained:
            raise UserError(
                "voxel size: the model does not know that of its training images; give scale, too (1 does not resize)"
            )
        else:
            name, factors = "voxel size", tuple(a / b for a, b in zip(size, trained, strict=True))
        if not all(1 / LARGEST_SCALE <= factor <= LARGEST_SCALE for factor in factors):
            raise UserError(
                f"{name}: got one that resizes the image by {factors}, expected {1 / LARGEST_SCALE} to "
                f"{LARGEST_SCALE}; check the unit (nm)"
            )
        return factors

    def target(self, config: ModelConfig, space: Space) -> Space:
        """Size to which an image ``(*space)`` is brought, so that its pixels are those of the training images."""
        factors = self.factors(config, len(space))
        return tuple(max(1, round(size * factor)) for size, factor in zip(space, factors, strict=True))

    def pixel_size(self, ndim: int) -> tuple[float, ...] | None:
        """Size of the image's pixels per axis in nm, None where it is not given; ``UserError`` for what is none."""
        return None if self.voxel_size is None else _positive("voxel size", self.voxel_size, ndim)

    def tile_shape(self, runner: Runner, config: ModelConfig, space: Space) -> Space | None:
        """Shape of the tiles for an image ``(*space)``, or None where the network computes it at once.

        Raises ``UserError`` for a shape that is none, and where not even the smallest tile fits the memory.
        """
        if self.tile is None:
            return self._fitting_tile(runner, config, space)
        shape = per_axis(self.tile, len(space))
        if len(shape) != len(space) or min(shape) < 1:
            raise UserError(
                f"tile: got {self.tile}, expected a positive number of pixels, 512 for example, or one per axis"
            )
        return shape

    def _fitting_tile(self, runner: Runner, config: ModelConfig, space: Space) -> Space | None:
        if self.max_memory is None and len(space) == 2:
            return (TILE, TILE) if math.prod(space) > LARGE else None
        gigabytes = VOLUME if self.max_memory is None else self.max_memory
        found = fitting_tile(runner, space, config.offsets, gigabytes * 1e9)
        return None if all(a >= b for a, b in zip(found, space, strict=True)) else found


def of_one_image(normalise: str, range: Sequence[float] | None) -> str | None:
    """``normalise`` for a single image, None for a series, whose range is measured first.

    Raises ``UserError`` for an unknown name, and for a series whose range is given.
    """
    choose("normalise", normalise, NORMALISE)
    if normalise == "series" and range is not None:
        raise UserError("got range and normalise, expected one of them, for each tells the scale; omit the other")
    return None if normalise == "series" else normalise


def _pairs(values: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Low and high ends from numbers by turns; ``UserError`` for what is no range."""
    pairs = tuple((float(low), float(high)) for low, high in zip(values[::2], values[1::2], strict=False))
    fits = len(values) == 2 * len(pairs) > 0
    if not fits or not all(math.isfinite(high - low) and low < high for low, high in pairs):
        raise UserError(
            f"range: got {' '.join(f'{value:g}' for value in values)}, expected two grey values, the lower first, or "
            "two for each channel; change it"
        )
    return pairs


def _pairs_for(values: Sequence[float], channels: int) -> tuple[tuple[float, float], ...]:
    """Low and high end for each of some channels; ``UserError`` where there are neither one pair nor as many."""
    pairs = _pairs(values)
    if len(pairs) not in (1, channels):
        raise UserError(f"range: got {len(pairs)} pairs, expected {channels}, one for each channel; give one for all")
    return pairs if len(pairs) == channels else pairs * channels


def _trained(config: ModelConfig) -> tuple[tuple[float, float], ...]:
    """The range of the training images; ``UserError`` where it is not known."""
    if config.ranges is None:
        raise UserError(
            "normalise training: got a model that does not know the range of its training images, expected one that "
            "does (it is of before, or they differed in type); give the range yourself (range)"
        )
    return config.ranges


def _positive(name: str, value: Any, ndim: int) -> tuple[float, ...]:
    """One positive number per axis; ``UserError`` for anything else."""
    values = per_axis(value, ndim)
    if len(values) != ndim or not all(math.isfinite(size) and size > 0 for size in values):
        raise UserError(f"{name}: got {tuple(values)}, expected {ndim} positive numbers, one per axis")
    return values


def per_axis(value: Any, ndim: int) -> tuple[Any, ...]:
    """One value per axis, from one for all or one each."""
    values = (value,) if np.isscalar(value) else tuple(value)
    return values * ndim if len(values) == 1 else values
