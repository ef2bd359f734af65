"""The outlines of objects drawn on their image."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError
from segraft.images.normalisation import Normalisation
from segraft.labels.borders import boundaries

GOLDEN = 0.618033988749895
"""Step between the hues of successive ids: neighbours in number are far apart in colour."""


def overlay(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the outlines of labels ``(y, x)`` on an image ``(C, y, x)``: uint8 ``(y, x, 3)``.

    One channel is grey; of more, the first three are red, green and blue.
    """
    if labels.ndim != 2:
        raise UserError(f"labels came with shape {labels.shape}; pictures are drawn of 2-D labels; leave them away")
    picture = np.zeros((*labels.shape, 3))
    shown = np.minimum(Normalisation()(image[:3]), 1)
    picture[..., : len(shown)] = np.moveaxis(shown, 0, -1)
    if len(shown) == 1:
        picture[:] = shown[0][..., None]
    edge = boundaries(labels)
    picture[edge] = _colours(labels[edge])
    return np.round(255 * picture).astype(np.uint8)


def _colours(ids: np.ndarray) -> np.ndarray:
    """Bright colours ``(n, 3)``, 0 to 1, of ids ``(n)``: hues a golden section apart."""
    hues = (ids.astype(np.float64) * GOLDEN % 1)[:, None] * 6
    return np.clip(np.abs((hues + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)
