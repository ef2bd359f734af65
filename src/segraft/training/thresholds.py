"""The segmentation with which a model is judged, tried on a part of the validation images: so it is cheap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from segraft.images.windows import Window
from segraft.metrics.scores import choosing
from segraft.model.maps import Maps
from segraft.model.model import Model
from segraft.model.trials import Result, Seen, Trials
from segraft.types import Sample

THRESHOLDS = (0.5, 0.3, 0.1, 0.7)
"""Foreground thresholds to try; of equal ones the first."""
NEARLY = 0.8
"""Part of the best Dice coefficient of the foreground that a threshold must reach."""
PIXELS = 2**21
"""Pixels of the validation images that each of them is tried on, 32 images of 256²: no more of a volume, either."""
SEARCHED = {2: 2**22, 3: 2**20}
"""Pixels on which, once at the end of training, all settings are searched, by dimension: a volume's cost more time."""


def trial_parts(samples: Sequence[Sample], pixels: int) -> dict[int, Window]:
    """What to try settings on, by the index of the sample: images with objects, evenly spread over the samples.

    Together they have at most so many ``pixels``: whole images, or a part of a single larger one around an object.
    """
    truths = {k: np.asarray(sample.labels) for k, sample in enumerate(samples) if sample.labels is not None}
    with_objects = [k for k, truth in truths.items() if np.any(truth > 0)]
    every = math.ceil(sum(truths[k].size for k in with_objects) / pixels)
    parts: dict[int, Window] = {}
    left = pixels
    for k in with_objects[:: max(1, every)]:
        if parts and truths[k].size > left:
            break
        parts[k] = _around_an_object(truths[k], pixels)
        left -= truths[k].size
    return parts


def _around_an_object(labels: np.ndarray, pixels: int) -> Window:
    """A box of at most so many ``pixels``, shaped as the image, around the middle one of all pixels in objects."""
    shrinkage = min(1.0, (pixels / labels.size) ** (1 / labels.ndim))
    inside, box = labels > 0, []
    for extent in labels.shape:  # axis by axis: a list of all pixels would take more than the image
        along = np.cumsum(inside.reshape(extent, -1).sum(1))
        middle = int(np.searchsorted(along, along[-1] / 2))
        size = max(1, math.floor(extent * shrinkage))
        start = min(max(0, middle - size // 2), extent - size)
        box.append(slice(start, start + size))
        inside = inside[middle]
    return tuple(box)


def seen_part(sample: Sample, maps: Maps, part: Window) -> Seen:
    """What the network says of a part of a sample, and its truth."""
    cut = Maps(maps.affinities[:, *part], maps.probability[part], None, maps.scale)
    return Seen(sample.name, cut, np.asarray(sample.labels)[part])


def best_threshold(
    model: Model,
    seen: list[Seen],
    monitor: str,
    thresholds: Sequence[float],
    of_all: Callable[[list[Result]], list[Result]] = list,
) -> float:
    """The best by a score of foreground thresholds, of equal ones the first, with the model's other settings.

    Only those count whose foreground is nearly as good as that of any: else one at which all the background is one
    false object may be the best by matches. ``of_all`` brings the results of images that others have seen.
    """
    trials, rank = Trials(seen, model.offsets, monitor, lambda _: None, of_all), choosing(monitor).rank
    stored = model.config.segmentation
    scores = {each: trials.scores(replace(stored, foreground_threshold=each)) for each in thresholds}
    least = NEARLY * max(result["dice"] for result in scores.values())
    fitting = [each for each in thresholds if scores[each]["dice"] >= least]
    return max(fitting, key=lambda each: rank(scores[each][monitor]))
