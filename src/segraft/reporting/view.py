"""What a report shows of one sample, and what a model makes of it there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.images.windows import central
from segraft.metrics.scoring import evaluate
from segraft.model.model import Model
from segraft.model.options import PredictOptions
from segraft.reporting.error_map import ErrorMap, error_map
from segraft.types import Sample, Space

COMPUTED = {2: (1024, 1024), 3: (32, 320, 320)}
"""Pixels per axis that are segmented for a report, by dimension: the centre of larger images."""
SHOWN = (320, 320)
"""Pixels per axis that are shown of it, of a volume in its middle section."""


@dataclass(frozen=True)
class View:
    """What one model makes of one sample, cut to what is shown: labels ``(y, x)``, embedding ``(D, y, x)``."""

    labels: np.ndarray
    embedding: np.ndarray
    errors: ErrorMap | None
    """None where the truth is not known."""
    aji: float | None


def shown_region(space: Space) -> tuple[slice, ...]:
    """What is shown of an image ``(*space)``: its centre, of a volume in the middle section alone."""
    section = (slice(space[0] // 2, space[0] // 2 + 1),) if len(space) == 3 else ()
    return (*section, *central(space[-2:], SHOWN))


def shown(array: np.ndarray) -> np.ndarray:
    """The pixels ``(y, x)`` that are shown of ``(y, x)`` or ``(z, y, x)``."""
    cut = array[shown_region(array.shape)]
    return cut[0] if cut.ndim == 3 else cut


def view(labels: np.ndarray, embedding: np.ndarray, sample: Sample) -> View:
    """Cut out what is shown: of labels ``(*space)``, and an embedding ``(D, *region)`` of the `shown_region`."""
    cut = shown(labels)
    if embedding.ndim == 4:
        embedding = embedding[:, 0]
    if sample.labels is None:
        return View(cut, embedding, None, None)
    truth = shown(sample.labels)
    return View(cut, embedding, error_map(cut, truth), float(evaluate(cut, truth)["aji"]))


def computed_part(sample: Sample) -> Sample:
    """The centre of a sample, as much as is segmented for a report."""
    part = central(sample.image.shape[1:], COMPUTED[sample.image.ndim - 1])
    labels = sample.labels[part] if sample.labels is not None else None
    return Sample(sample.image[:, *part], labels, sample.name, sample.voxel_size)


def computed_view(sample: Sample, model: Model) -> View:
    """Run a model on the centre of a sample, and cut out what is shown."""
    sample = computed_part(sample)
    image = model.channels_first(sample.image)
    with model.maps(image, PredictOptions(), shown_region(image.shape[1:])) as maps:
        labels = model.labels(maps, PredictOptions(), image.shape[1:])
    assert maps.embedding is not None
    return view(labels, maps.embedding, sample)
