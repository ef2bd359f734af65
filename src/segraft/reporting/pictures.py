"""Pictures of a sample and of what models make of it, as PNG files in data URIs that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from segraft.images.normalisation import Normalisation
from segraft.labels.contingency import contingency
from segraft.metrics.scoring import evaluate
from segraft.model.model import Model
from segraft.reporting.error_map import ErrorMap, error_map
from segraft.reporting.projection import Projection, fit_projection
from segraft.types import Sample

LOOKED_AT = {2: (1024, 1024), 3: (32, 320, 320)}
"""Pixels per axis that are segmented for a picture, by dimension: the centre of larger images."""
SHOWN = (320, 320)
"""Pixels per axis that are shown of it, of a volume in its middle section."""
LEGEND = {
    "correct": "#cfd8dc",
    "outline": "#90a4ae",
    "split": "#e69f00",
    "merged": "#0072b2",
    "missed": "#1a1a1a",
    "false": "#cc79a7",
    "unknown": "#fff3c4",
}
"""Colours of the error classes after the background; those of errors are told apart by colour-blind readers, too."""
ERRORS = ("split", "merged", "missed", "false")
PAPER, DARK, EDGE = (255, 255, 255), (22, 26, 32), (255, 255, 255)


@dataclass(frozen=True)
class Seen:
    """What one model makes of one sample, cut to what is shown."""

    labels: np.ndarray
    embedding: np.ndarray
    errors: ErrorMap | None
    """None where the truth is not known."""
    aji: float | None


@dataclass(frozen=True)
class Picture:
    """One sample beside what each model makes of it; images are data URIs."""

    name: str
    size: str
    image: str
    truth: str | None
    models: list[dict[str, str]]


def picture(sample: Sample, models: Mapping[str, Model], projections: dict[int, Projection]) -> Picture:
    """Run all models on a sample and draw it.

    ``projections`` by embedding dimension is filled by the first model that has the dimension; the others follow it.
    """
    part = _central(sample.image.shape[1:], LOOKED_AT[sample.image.ndim - 1])
    labels = sample.labels[part] if sample.labels is not None else None
    sample = Sample(sample.image[:, *part], labels, sample.name, sample.voxel_size)
    truth = crop(labels) if labels is not None else None
    drawn = []
    for name, model in models.items():
        seen = _look(sample, model)
        dim = len(seen.embedding)
        if dim not in projections:
            projections[dim] = fit_projection(seen.embedding)
        drawn.append({"name": name, **_drawn(seen, truth, projections[dim])})
    return Picture(
        name=sample.name,
        size=_size(sample.image.shape[1:]),
        image=data_uri(_grey_or_colour(sample.image)),
        truth=data_uri(label_colours(truth)) if truth is not None else None,
        models=drawn,
    )


def _look(sample: Sample, model: Model) -> Seen:
    """Segment the whole sample, then cut out what is shown."""
    labels = crop(model.predict(sample.image))
    embedding, _ = model.embed(sample.image)
    embedding = np.stack([crop(channel) for channel in embedding])
    if sample.labels is None:
        return Seen(labels, embedding, None, None)
    truth = crop(sample.labels)
    return Seen(labels, embedding, error_map(labels, truth), float(evaluate(labels, truth)["aji"]))


def _drawn(seen: Seen, truth: np.ndarray | None, projection: Projection) -> dict[str, str]:
    """Images and captions of one model's results, for the page."""
    drawn = {
        "labels": data_uri(label_colours(seen.labels, truth)),
        "objects": f"{len(np.unique(seen.labels[seen.labels > 0]))} objects",
        "embedding": data_uri((projection(seen.embedding) * 255).round().astype(np.uint8)),
    }
    if seen.errors is not None:
        drawn |= {
            "objects": f"{drawn['objects']}, AJI {seen.aji:.3f}",
            "errors": data_uri(error_colours(seen.errors, seen.labels)),
            "counts": ", ".join(f"{len(getattr(seen.errors, kind))} {kind}" for kind in ERRORS),
        }
    return drawn


def crop(array: np.ndarray) -> np.ndarray:
    """What is shown of ``(y, x)``, or of the middle section of ``(z, y, x)``: the centre, at most ``SHOWN``."""
    section = array[len(array) // 2] if array.ndim == 3 else array
    return section[_central(section.shape, SHOWN)]


def _central(shape: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    starts = [max(0, extent - most) // 2 for extent, most in zip(shape, size, strict=True)]
    return tuple(slice(start, start + most) for start, most in zip(starts, size, strict=True))


def _size(space: Sequence[int]) -> str:
    """Words for what is shown of an image of this shape."""
    shown = " × ".join(str(min(pair)) for pair in zip(space[-2:], SHOWN, strict=True))
    return shown if len(space) == 2 else f"{shown}, section {space[0] // 2 + 1} of {space[0]}"


def _grey_or_colour(image: np.ndarray) -> np.ndarray:
    """An image ``(C, *space)`` as models see it, cut to what is shown: grey, or its first three channels in colour."""
    normalised = np.stack([crop(channel) for channel in Normalisation()(image)])
    channels = (normalised.clip(0, 1) * 255).round().astype(np.uint8)
    if len(channels) == 1:
        return channels[0]
    missing = max(0, 3 - len(channels))
    return np.moveaxis(np.pad(channels[:3], [(0, missing), (0, 0), (0, 0)]), 0, -1)


def label_colours(labels: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    """Colour instances ``(y, x)`` at twice the size, ``(2 y, 2 x, 3)`` uint8, with dark edges between them.

    With ``truth``, an object takes the colour of the true one that it matches (IoU over 1/2), so alike means found.
    """
    labels = np.maximum(labels, 0).astype(np.int64)
    if truth is not None:
        labels = _numbered_like(labels, truth)
    colours = _spread_colours(labels)
    large = labels.repeat(2, 0).repeat(2, 1)
    colours = colours.repeat(2, 0).repeat(2, 1)
    colours[edges(large)] = DARK
    return colours


def _numbered_like(labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Give matched objects the id of their true object and others ids that the truth does not use."""
    table = contingency(labels, truth)
    iou = table.counts / (table.predicted_sizes + table.truth_sizes - table.counts)
    matched = (iou > 0.5) & (table.predicted_ids > 0) & (table.truth_ids > 0)
    numbers = np.arange(int(labels.max()) + 1) + int(truth.max())
    numbers[table.predicted_ids[matched]] = table.truth_ids[matched]
    numbers[0] = 0
    return numbers[labels]


def _spread_colours(labels: np.ndarray) -> np.ndarray:
    """A colour per id ``(y, x, 3)`` uint8, unlike those of the ids before and after it; background is dark."""
    turns = (labels * 0.618034) % 1  # the golden section spreads hues evenly, however many there are
    phases = (turns[..., None] + np.array([0, 1 / 3, 2 / 3])) * 2 * np.pi
    light = (0.62 + 0.16 * (labels % 3 - 1))[..., None]
    colours = ((light + 0.22 * np.cos(phases)).clip(0, 1) * 255).round().astype(np.uint8)
    colours[labels == 0] = DARK
    return colours


def error_colours(errors: ErrorMap, predicted: np.ndarray) -> np.ndarray:
    """Colour an error map ``(y, x)`` at twice the size, ``(2 y, 2 x, 3)`` uint8, with the predicted edges in white."""
    table = np.array([PAPER, *(_rgb(colour) for colour in LEGEND.values())], np.uint8)
    colours = table[errors.classes].repeat(2, 0).repeat(2, 1)
    colours[edges(predicted.repeat(2, 0).repeat(2, 1))] = EDGE
    return colours


def edges(labels: np.ndarray) -> np.ndarray:
    """Pixels ``(y, x)`` of objects whose right or lower neighbour is another object."""
    found = np.zeros(labels.shape, bool)
    for here, there in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        found[here] |= (labels[here] != labels[there]) & (labels[here] > 0) & (labels[there] > 0)
    return found


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def data_uri(pixels: np.ndarray) -> str:
    """A picture, grey ``(y, x)`` or colour ``(y, x, 3)``, both uint8, as the data URI of a PNG of 256 colours."""
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image if pixels.ndim == 2 else image.quantize(256)).save(file, "png", optimize=True)
    return png_uri(file.getvalue())


def png_uri(png: bytes) -> str:
    """The bytes of a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
