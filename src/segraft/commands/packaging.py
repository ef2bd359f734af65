"""What a bioimage.io package needs of images: windows to compare on, and a cover."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from segraft.deploy import bioimageio
from segraft.deploy.bioimageio import Example
from segraft.deploy.resource_description import Imprint, smallest
from segraft.errors import UserError
from segraft.images.windows import central, crop
from segraft.model.model import Model
from segraft.networks.contract import Network
from segraft.reporting.overlay import overlay
from segraft.reporting.pictures import doubled

SIDE = {2: 256, 3: 48}
"""Pixels per side of a window, by dimension, unless the package takes no smaller ones."""
COVERED = 192
"""Pixels per side of what the cover shows, twice as large."""


def package(network: Network, model: Model, out: Path, images: Mapping[str, np.ndarray], imprint: Imprint) -> float:
    """Write a network, and all that is stored with it, as a bioimage.io package; return the largest difference.

    ``images`` by name are as they were read. Raises ``UserError`` where there is none, one does not fit, and as
    `bioimageio.export`.
    """
    if not images:
        raise UserError(
            "bioimageio: got no image, expected one at least, for a package holds an example and shows it; give some "
            "(--images)"
        )
    stored = []
    for name, image in images.items():
        try:
            stored.append(model.channels_first(image))
            model.config.normalisation.scale(stored[-1])
        except UserError as error:
            raise UserError(f"{name}: {error}") from error
    windows = [window_of(model, image) for image in stored]
    return bioimageio.export(network, model.config, out, stored, windows, cover, imprint)


def window_of(model: Model, image: np.ndarray) -> np.ndarray:
    """The middle of an image ``(C, *space)``, of a size that the package allows; a smaller image is reflected."""
    geometry = model.geometry
    least = smallest(geometry, model.config)
    size = geometry.nearest_input(tuple(max(SIDE[geometry.ndim], side) for side in least), math.ceil)
    starts = [(side - wanted) // 2 for side, wanted in zip(image.shape[1:], size, strict=True)]
    return crop(image, tuple(slice(start, start + wanted) for start, wanted in zip(starts, size, strict=True)))


def cover(example: Example) -> bytes:
    """An image beside itself with the objects' outlines, twice as wide as high, as a PNG file; of volumes a section."""
    labels = example.labels
    image = example.image[:, *central(example.image.shape[1:], labels.shape)]
    if labels.ndim == 3:
        labels, image = labels[len(labels) // 2], image[:, image.shape[1] // 2]
    part = central(labels.shape, (COVERED, COVERED))
    image, labels = image[:, *part], labels[part]
    sides = [overlay(image, each) for each in (np.zeros_like(labels), labels)]
    file = io.BytesIO()
    Image.fromarray(doubled(np.concatenate(sides, axis=1))).quantize(256).save(file, "png", optimize=True)
    return file.getvalue()
