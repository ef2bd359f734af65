"""Pictures of a sample and of what models make of it, as PNG files in data URIs that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from segraft.images.normalisation import Normalisation
from segraft.labels.borders import between_objects
from segraft.labels.contingency import contingency
from segraft.reporting.colours import CLEAR, DARK, rgb, soft
from segraft.reporting.error_map import ErrorMap
from segraft.reporting.projection import Projection, fit_projection
from segraft.reporting.view import SHOWN, View, computed_part, shown
from segraft.types import Sample

LEGEND = {
    "correct": "#cfd8dc",
    "outline": "#90a4ae",
    "split": "#e69f00",
    "merged": "#0072b2",
    "missed": "#d55e00",
    "false": "#cc79a7",
    "unknown": "#fff3c4",
}
"""Colours of the error classes after the background; those of errors are told apart by colour-blind readers, too."""
ERRORS = ("split", "merged", "missed", "false")
EDGE = (255, 255, 255, 255)


@dataclass(frozen=True)
class Picture:
    """One sample beside what each model makes of it; images are data URIs."""

    name: str
    size: str
    image: str
    truth: str | None
    models: list[dict[str, str]]


def picture(sample: Sample, views: Mapping[str, View], projections: dict[int, Projection]) -> Picture:
    """Draw a sample and what models, by name, make of it.

    ``projections`` by embedding dimension is filled by the first model that has the dimension; the others follow it.
    """
    sample = computed_part(sample)
    truth = shown(sample.labels) if sample.labels is not None else None
    drawn = []
    for name, view in views.items():
        dim = len(view.embedding)
        if dim not in projections:
            projections[dim] = fit_projection(view.embedding)
        drawn.append({"name": name, **_drawn(view, truth, projections[dim])})
    return Picture(
        name=sample.name,
        size=_size(sample.image.shape[1:]),
        image=data_uri(grey_or_colour(np.stack([shown(channel) for channel in Normalisation()(sample.image)]))),
        truth=data_uri(label_colours(truth)) if truth is not None else None,
        models=drawn,
    )


def _drawn(view: View, truth: np.ndarray | None, projection: Projection) -> dict[str, str]:
    """Images and captions of one model's results, for the page."""
    drawn = {
        "labels": data_uri(label_colours(view.labels, truth)),
        "objects": f"{len(np.unique(view.labels[view.labels > 0]))} objects",
        "embedding": data_uri((projection(view.embedding) * 255).round().astype(np.uint8)),
    }
    if view.errors is not None:
        drawn |= {
            "objects": f"{drawn['objects']}, AJI {view.aji:.3f}",
            "errors": data_uri(error_colours(view.errors, view.labels)),
            "counts": ", ".join(f"{len(getattr(view.errors, kind))} {kind}" for kind in ERRORS),
        }
    return drawn


def _size(space: Sequence[int]) -> str:
    """Words for what is shown of an image of this shape."""
    size = " × ".join(str(min(pair)) for pair in zip(space[-2:], SHOWN, strict=True))
    return size if len(space) == 2 else f"{size}, section {space[0] // 2 + 1} of {space[0]}"


def grey_or_colour(channels: np.ndarray) -> np.ndarray:
    """Pixels, uint8, of an image as models see it, ``(C, y, x)`` from 0 to 1: grey, or its first three channels."""
    pixels = (channels.clip(0, 1) * 255).round().astype(np.uint8)
    if len(pixels) == 1:
        return pixels[0]
    missing = max(0, 3 - len(pixels))
    return np.moveaxis(np.pad(pixels[:3], [(0, missing), (0, 0), (0, 0)]), 0, -1)


def label_colours(labels: np.ndarray, truth: np.ndarray | None = None) -> np.ndarray:
    """Colour instances ``(y, x)`` at twice the size, ``(2 y, 2 x, 3)`` uint8, with dark edges between them.

    With ``truth``, an object takes the colour of the true one that it matches (IoU over 1/2), so alike means found.
    """
    labels = np.maximum(labels, 0).astype(np.int64)
    if truth is not None:
        labels = _numbered_like(labels, truth)
    colours = doubled(soft(labels))
    colours[between_objects(doubled(labels))] = DARK
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


def error_colours(errors: ErrorMap, predicted: np.ndarray) -> np.ndarray:
    """Colour an error map ``(y, x)`` at twice the size, ``(2 y, 2 x, 4)`` uint8, with the predicted edges in white.

    The background is clear: it is the page's, light or dark.
    """
    table = np.array([CLEAR, *((*rgb(colour), 255) for colour in LEGEND.values())], np.uint8)
    colours = doubled(table[errors.classes])
    colours[between_objects(doubled(predicted))] = EDGE
    return colours


def doubled(pixels: np.ndarray) -> np.ndarray:
    """Every pixel of ``(y, x, ...)`` as a square of four."""
    return pixels.repeat(2, 0).repeat(2, 1)


def data_uri(pixels: np.ndarray) -> str:
    """A picture as the data URI of a PNG file.

    Grey ``(y, x)``, colour ``(y, x, 3)``, which is stored in 256 colours, or with transparency ``(y, x, 4)``; uint8.
    """
    image = Image.fromarray(pixels)
    file = io.BytesIO()
    (image.quantize(256) if image.mode == "RGB" else image).save(file, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
