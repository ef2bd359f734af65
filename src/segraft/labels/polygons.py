"""Polygons of (x, y) points in pixels: which pixels lie inside, and whether an outline crosses itself.

Corners of pixels are whole numbers, centres lie half a pixel from them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segraft.errors import UserError

TOUCH = 1e-3
"""Pixels by which an edge may reach over another one: rounded coordinates of edges that touch, no crossing."""
CHUNK = 256


def fill(rings: Sequence[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Return which pixels of an image of ``shape`` (y, x) have their centre inside an odd number of ``rings``.

    Rings are ``(points, 2)``, open or closed, and may reach beyond the image. A centre on an edge belongs to what
    follows it, on the right or below: polygons with a common edge share no pixel and leave none out between them.

    The time grows with the length of the rings and with the pixels, not with their product as in scikit-image, where
    the outline of a whole tissue would take minutes.
    """
    height, width = shape
    start = np.concatenate([np.asarray(ring, float) for ring in rings])
    end = np.concatenate([np.roll(np.asarray(ring, float), -1, axis=0) for ring in rings])
    (x, y), (next_x, next_y) = start.T, end.T
    first = np.ceil(np.minimum(y, next_y) - 0.5).clip(0, height).astype(int)  # rows whose centre the edge passes
    stop = np.ceil(np.maximum(y, next_y) - 0.5).clip(0, height).astype(int)
    passed = stop - first
    edge = np.repeat(np.arange(len(x)), passed)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(passed) - passed, passed) + first[edge]
    along = (row + 0.5 - y[edge]) / (next_y - y)[edge]
    column = np.ceil(x[edge] + along * (next_x - x)[edge] - 0.5).clip(0, width).astype(int)
    crossings = np.zeros((height, width + 1), np.int32)
    np.add.at(crossings, (row, column), 1)
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def check_ring(ring: np.ndarray) -> None:
    """Raise ``UserError`` unless a ring ``(points, 2)``, open or closed, has three points and does not cross itself."""
    if not np.isfinite(ring).all():
        raise UserError("got coordinates that are no numbers, expected x and y in pixels; draw it anew")
    if len(np.unique(ring, axis=0)) < 3:
        raise UserError(f"got {len(np.unique(ring, axis=0))} different points, expected at least 3; delete it")
    if (place := crossing(ring)) is not None:
        x, y = place
        raise UserError(
            f"got an outline that crosses itself near x {x:.1f}, y {y:.1f}, expected one without crossings; "
            "draw it anew"
        )


def crossing(ring: np.ndarray) -> np.ndarray | None:
    """Return the (x, y) beginning of an edge of a ring ``(points, 2)`` that crosses another one, None without any.

    Edges that touch do not cross: outlines of pixels meet themselves at corners.
    """
    start, end = np.asarray(ring, float), np.roll(np.asarray(ring, float), -1, axis=0)
    order = np.argsort(np.minimum(start[:, 1], end[:, 1]))  # edges at the same height follow one another
    start, end = start[order], end[order]
    low, high = np.minimum(start, end)[:, 1], np.maximum(start, end)[:, 1]
    for begin in range(0, len(start), CHUNK):
        part = slice(begin, begin + CHUNK)
        near = (low <= high[part].max()) & (high >= low[part].min())
        crossed = _crossed(start[part], end[part], start[near], end[near])
        if crossed.any():
            return start[part][crossed][0]
    return None


def _crossed(start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    """Return which edges ``(edges, 2)`` cross any of the other ones, in a point that is inside both."""
    a, b, c, d = start[:, None], end[:, None], other_start[None], other_end[None]
    apart = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return apart.any(axis=1)


def _side(a: np.ndarray, b: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return on which side of the line from a to b a point lies: 1, −1, or 0 within ``TOUCH`` of it."""
    along, away = b - a, point - a
    area = along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]
    return np.sign(area) * (np.abs(area) > TOUCH * np.hypot(along[..., 0], along[..., 1]))
