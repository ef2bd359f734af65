"""Segmentations with their mistakes marked, and the part of an image where two of them differ most."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import binary_dilation

from segraft.labels.borders import boundaries
from segraft.reporting.colours import rgb
from segraft.reporting.error_map import ErrorMap
from segraft.reporting.pictures import ERRORS, LEGEND, doubled, label_colours
from segraft.types import Space

FADED = 0.45
"""How much of their light the objects without mistakes keep."""
STEP = 8
"""Pixels between the windows that are compared."""
MARKED = {f"{name} objects" if name in ("missed", "false") else name: LEGEND[name] for name in ERRORS}
"""Colours of the outlines, for a legend."""


def marked(labels: np.ndarray, truth: np.ndarray, errors: ErrorMap, window: tuple[slice, slice]) -> np.ndarray:
    """Draw a window of labels ``(y, x)`` at twice the size, ``(2 y, 2 x, 3)`` uint8, and mark the mistakes.

    Objects have the colour of the true one that they match; those that a mistake touches are bright and have an outline
    in its colour: true objects that are split or missed, predicted ones that are merged or false. The ``errors`` are
    those of the whole image: what is right there does not become a mistake where the window cuts it.
    """
    colours = label_colours(labels, truth)
    chosen = {
        "missed": np.where(np.isin(truth, errors.missed), truth, 0),
        "false": np.where(np.isin(labels, errors.false), labels, 0),
        "split": np.where(np.isin(truth, errors.split), truth, 0),
        "merged": np.where(np.isin(labels, errors.merged), labels, 0),
    }
    touched = doubled(np.any([objects > 0 for objects in chosen.values()], axis=0))
    colours[~touched] = (colours[~touched] * FADED).astype(np.uint8)
    for name, objects in chosen.items():
        edge = binary_dilation(boundaries(doubled(objects)))
        colours[edge] = rgb(LEGEND[name])
    return colours[tuple(slice(2 * axis.start, 2 * axis.stop) for axis in window)]


def counted(errors: ErrorMap) -> str:
    """How many mistakes of each kind there are, in words."""
    return ", ".join(f"{len(getattr(errors, kind))} {kind}" for kind in ERRORS)


def window_of(differs: np.ndarray, side: int) -> tuple[slice, slice]:
    """The window of ``side`` pixels, or of the whole image where that is smaller, that holds most of a boolean mask.

    Of equal ones the most central is taken.
    """
    sums = np.pad(differs.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    ranges = [range(0, max(1, extent - side + 1), STEP) for extent in differs.shape]
    height, width = (min(side, extent) for extent in differs.shape)
    places = [(y, x) for y in ranges[0] for x in ranges[1]]
    held = [sums[y + height, x + width] - sums[y, x + width] - sums[y + height, x] + sums[y, x] for y, x in places]
    middle = [(len(each) - 1) / 2 * STEP for each in ranges]
    best = max(
        range(len(places)),
        key=lambda k: (held[k], -abs(places[k][0] - middle[0]) - abs(places[k][1] - middle[1])),
    )
    y, x = places[best]
    return slice(y, y + height), slice(x, x + width)


def place(window: tuple[slice, slice], space: Space) -> str:
    """Words for where a window lies."""
    size = " × ".join(str(axis.stop - axis.start) for axis in window)
    return f"{size} of {space[0]} × {space[1]} at y {window[0].start}, x {window[1].start}"
