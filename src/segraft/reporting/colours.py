"""Colours of objects: hues a golden section apart, so that ids that follow one another look unlike."""

from __future__ import annotations

import numpy as np

GOLDEN = 0.618033988749895
"""Step between the hues of successive ids, in turns of the colour circle."""
DARK = (22, 26, 32)
"""Of the background of label images."""
CLEAR = (0, 0, 0, 0)
"""Nothing: red, green, blue and opacity."""


def hues(ids: np.ndarray) -> np.ndarray:
    """Hue of each id, in turns from 0 to 1."""
    return ids.astype(np.float64) * GOLDEN % 1


def bright(ids: np.ndarray) -> np.ndarray:
    """Saturated colours ``(n, 3)``, 0 to 1, of ids ``(n)``: for outlines on a picture."""
    sixths = hues(ids)[:, None] * 6
    return np.clip(np.abs((sixths + np.array([0, 4, 2])) % 6 - 3) - 1, 0, 1)


def soft(labels: np.ndarray) -> np.ndarray:
    """Colours of labels ``(y, x)``, ``(y, x, 3)`` uint8, in three shades of light: for areas; background is dark."""
    phases = (hues(labels)[..., None] + np.array([0, 1 / 3, 2 / 3])) * 2 * np.pi
    light = (0.62 + 0.16 * (labels % 3 - 1))[..., None]
    colours = ((light + 0.22 * np.cos(phases)).clip(0, 1) * 255).round().astype(np.uint8)
    colours[labels == 0] = DARK
    return colours


def rgb(colour: str) -> tuple[int, ...]:
    """Red, green and blue, 0 to 255, of a colour like ``#cfd8dc``."""
    return tuple(bytes.fromhex(colour[1:]))
