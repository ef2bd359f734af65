"""Smaller versions of a recipe, for machines that cannot do the published one. They prove that it runs, no more."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from segraft.errors import UserError
from segraft.settings import TrainSettings, required

Settings = TypeVar("Settings", bound=TrainSettings)
SMALLEST = {2: (32, 32), 3: (37, 241, 241)}
"""Crops that all networks of the recipes can take, and from which something is left to learn."""
STRIDES = {2: (16, 16), 3: (1, 27, 27)}
"""All networks of the recipes can take crops that many pixels larger, or a multiple."""
TEACHERS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "resunet": ((32, 64, 179, 349, 680), (4, 8, 16, 32, 64)),
    "nested-unet": ((64, 128, 256, 512, 1024), (4, 8, 16, 32, 64)),
    "mala": ((12, 60, 300, 1500), (8, 16, 32, 64)),
}
"""Filters of the teachers, and of their students, below which they do not shrink."""


def scaled(settings: Settings, scale: float) -> Settings:
    """The same experiment, smaller by ``scale`` from above 0 to 1, which changes nothing.

    Steps, and those between validations, shrink by the scale; so does what a crop's sides have more than ``SMALLEST``,
    down to sizes that networks can take; filters of teachers by its root, which shrinks their multiply-adds per pixel
    by the scale, but not below those of their students. Students, batch, rates and weights stay as they are.
    Raises ``UserError`` for a scale out of range.
    """
    if not 0 < scale <= 1:
        raise UserError(f"scale: got {scale}, expected more than 0 and at most 1; give 0.1 for example")
    if scale == 1:
        return settings
    return replace(
        settings,
        steps=math.ceil(settings.steps * scale),
        validate_every=math.ceil(settings.validate_every * scale),
        patch=_crop(required(settings.patch), scale),
        filters=_filters(settings, scale),
    )


def _crop(patch: tuple[int, ...], scale: float) -> tuple[int, ...]:
    axes = zip(patch, SMALLEST[len(patch)], STRIDES[len(patch)], strict=True)
    return tuple(least + math.floor((size - least) * scale / stride) * stride for size, least, stride in axes)


def _filters(settings: TrainSettings, scale: float) -> tuple[int, ...] | None:
    """Filters of a smaller teacher; those of a student as they are."""
    if settings.network not in TEACHERS:
        return settings.filters
    own, least = TEACHERS[settings.network]
    return tuple(max(b, round(a * math.sqrt(scale))) for a, b in zip(own, least, strict=True))
