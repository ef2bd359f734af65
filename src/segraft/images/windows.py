"""Windows of arrays, which may reach beyond the border."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Window = tuple[slice, ...]
"""First and last (excluded) pixel per axis; a negative start lies before the array, a stop beyond its end after it."""


def window_at(start: Sequence[int], shape: Sequence[int]) -> Window:
    """Return the window of a shape that begins at ``start``, in pixels per axis."""
    return tuple(slice(first, first + size) for first, size in zip(start, shape, strict=True))


def whole(space: Sequence[int]) -> Window:
    """The window of all of an array."""
    return window_at([0] * len(space), space)


def central(shape: Sequence[int], size: Sequence[int]) -> Window:
    """The centre of a shape, at most ``size``."""
    starts = [max(0, extent - most) // 2 for extent, most in zip(shape, size, strict=True)]
    ends = [min(start + most, extent) for start, most, extent in zip(starts, size, shape, strict=True)]
    return tuple(slice(start, end) for start, end in zip(starts, ends, strict=True))


def in_words(window: Window) -> str:
    """A window of the last axes of space in words, ``z 0:64, y 0:512, x 512:1024``."""
    axes = "zyx"[-len(window) :]
    return ", ".join(f"{axis} {side.start}:{side.stop}" for axis, side in zip(axes, window, strict=True))


def crop_from(read: Callable[[Window], np.ndarray], extents: Sequence[int], window: Window) -> np.ndarray:
    """Cut a window out of an array ``(..., *extents)`` of which ``read`` gives boxes inside; see ``crop``."""
    indices = [_mirror(np.arange(side.start, side.stop), size) for side, size in zip(window, extents, strict=True)]
    box = tuple(slice(int(index.min()), int(index.max()) + 1) for index in indices)
    inside: tuple[Any, ...] = (..., *np.ix_(*(index - side.start for index, side in zip(indices, box, strict=True))))
    part = read(box)
    return part if box == window else part[inside]


def crop(array: np.ndarray, window: Window, outside: int | None = None) -> np.ndarray:
    """Cut a window of the last axes out of ``(..., *space)``; a view where it lies inside the array.

    Beyond the border the array is reflected about its border pixels, which are not repeated, as often as it takes
    (an axis of one pixel repeats that pixel). With ``outside`` these places get that value instead.
    """
    extents = array.shape[-len(window) :]
    if all(side.start >= 0 and side.stop <= extent for side, extent in zip(window, extents, strict=True)):
        inside: tuple[Any, ...] = (..., *window)
        return array[inside]
    indices = [np.arange(side.start, side.stop) for side in window]
    mirrored = [_mirror(index, extent) for index, extent in zip(indices, extents, strict=True)]
    mesh: tuple[Any, ...] = (..., *np.ix_(*mirrored))
    cut = array[mesh]
    if outside is not None:
        for axis, (index, extent) in enumerate(zip(indices, extents, strict=True), start=-len(window)):
            np.moveaxis(cut, axis, 0)[(index < 0) | (index >= extent)] = outside
    return cut


def _mirror(index: np.ndarray, extent: int) -> np.ndarray:
    """Reflect indices beyond ``0 .. extent - 1`` about the border pixels, as often as it takes."""
    period = max(2 * (extent - 1), 1)
    index = index % period
    return np.minimum(index, period - index) if extent > 1 else np.zeros_like(index)
