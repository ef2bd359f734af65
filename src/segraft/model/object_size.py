"""Images brought to a size at which their objects are as large as those that a model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from segraft.errors import UserError
from segraft.images.windows import Window, crop
from segraft.labels.diameters import typical_diameter
from segraft.model.config import ModelConfig
from segraft.model.options import AUTO, UNKNOWN_SIZE, PredictOptions
from segraft.types import Space

Segment = Callable[[np.ndarray, PredictOptions], np.ndarray]
"""From an image ``(C, *space)`` to its labels."""
KNOWN = 1.6
"""Objects so many times larger or smaller than the typical ones are known as well, and the image stays as it is:
rescaling loses detail."""
PASSES = 2
"""The first tells what size objects have about; the second, at about the right size, tells it well."""
FURTHEST = 8.0
"""Largest factor, and inverse of the smallest, that is tried."""
LOOK = {2: 1024, 3: 128}
"""Pixels per side of the parts that are looked at of larger images, by dimension."""
PLACES = (0.25, 0.75)
"""Where they lie along an axis, between its beginning and its end."""


def fitted(segment: Segment, image: np.ndarray, options: PredictOptions, config: ModelConfig) -> PredictOptions:
    """See ``fitted_to_parts``; of an image in memory."""
    return fitted_to_parts(segment, partial(crop, image), image.shape[1:], options, config)


def fitted_to_parts(
    segment: Segment, cut: Callable[[Window], np.ndarray], space: Space, options: PredictOptions, config: ModelConfig
) -> PredictOptions:
    """The options for an image ``(C, *space)`` with the ``scale`` that its object size stands for.

    ``cut`` gives any part ``(C, *window)`` of it.

    Raises ``UserError`` where the model does not know the size of its own objects.
    """
    if options.object_size is None:
        return options
    plain, known = replace(options, object_size=None), known_size(config)
    if options.object_size != AUTO:
        return replace(plain, scale=known / float(options.object_size))
    size = _measured(segment, cut, space, plain, known)
    if size is None or known / KNOWN <= size <= known * KNOWN:
        return plain
    return replace(plain, scale=_limited(known / size))


def known_size(config: ModelConfig) -> float:
    """Typical diameter of the objects that a model was trained on; ``UserError`` where it does not know it."""
    if config.object_size is None:
        raise UserError(UNKNOWN_SIZE)
    return config.object_size


def _measured(
    segment: Segment, cut: Callable[[Window], np.ndarray], space: Space, options: PredictOptions, known: float
) -> float | None:
    """Typical diameter of what the model finds in an image; None where that is nothing."""
    size, factor = None, 1.0
    for _ in range(PASSES):
        areas = [np.bincount(segment(cut(part), replace(options, scale=factor)).ravel())[1:] for part in _parts(space)]
        found = typical_diameter(np.concatenate(areas), len(space))
        if not found:
            break
        size, factor = found, _limited(known / found)
    return size


def _limited(factor: float) -> float:
    return min(max(factor, 1 / FURTHEST), FURTHEST)


def _parts(space: Space) -> Iterator[tuple[slice, ...]]:
    """What is looked at of an image ``(*space)``: all of a small one."""
    look = LOOK[len(space)]
    axes = [
        [slice(0, side)] if side <= look else [slice(at, at + look) for at in (int(p * (side - look)) for p in PLACES)]
        for side in space
    ]
    for place in np.ndindex(*map(len, axes)):
        yield tuple(axis[k] for axis, k in zip(axes, place, strict=True))
