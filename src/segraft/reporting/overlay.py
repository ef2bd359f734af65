"""The outlines of objects drawn on their image."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError
from segraft.images.normalisation import Normalisation
from segraft.labels.borders import boundaries
from segraft.reporting.colours import bright


def overlay(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Draw the outlines of labels ``(y, x)`` on an image ``(C, y, x)``: uint8 ``(y, x, 3)``.

    One channel is grey; of more, the first three are red, green and blue. Raises ``UserError`` for volumes.
    """
    if labels.ndim != 2:
        raise UserError(
            f"labels: got shape {labels.shape}, expected (y, x), for only 2-D labels are drawn; omit the overlay"
        )
    picture = np.zeros((*labels.shape, 3))
    shown = np.minimum(Normalisation()(image[:3]), 1)
    picture[..., : len(shown)] = np.moveaxis(shown, 0, -1)
    if len(shown) == 1:
        picture[:] = shown[0][..., None]
    edge = boundaries(labels)
    picture[edge] = bright(labels[edge])
    return np.round(255 * picture).astype(np.uint8)
