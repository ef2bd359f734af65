"""The channel axis of an image: found, brought to the front, picked from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segraft.errors import UserError

FEW = 4
"""An axis of at most this many entries can be a channel axis (RGB, RGBA, the usual stains)."""


def to_channels_first(
    array: np.ndarray,
    ndim: int,
    channels: Sequence[int] | None = None,
    name: str = "an image",
    space: tuple[int, ...] | None = None,
) -> np.ndarray:
    """Bring an image with ``ndim`` axes of space to ``(C, *space)``; ``name`` names it in messages.

    Without an axis to spare there is one channel. Else the channel axis is the one, last or first, without which
    the shape is ``space`` (that of the labels, where there are some). Without ``space`` it is the last one if it has
    at most four entries, else the first if it has; ``channels`` picks indices from it, and then the axis may be
    longer: the shorter of last and first. A fourth entry in last place is taken for alpha and dropped unless picked.
    Further axes of one entry are removed from the front. Raises ``UserError`` when no such axis is found.
    """
    shape = array.shape
    while array.ndim > ndim + 1 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    if array.ndim == ndim:
        array = array[None]
    elif array.ndim == ndim + 1:
        array = _channel_axis_first(array, channels, name, space)
    else:
        wanted = f"wanted {ndim} axes of space and at most one of channels"
        raise UserError(f"{name} came with shape {shape}; {wanted}; cut out or save what belongs together")
    if channels is None:
        return array
    if not channels or not all(0 <= channel < len(array) for channel in channels):
        raise UserError(
            f"channels {tuple(channels)} were asked of {name}, which has {len(array)}; "
            f"wanted indices from 0 to {len(array) - 1}; choose other channels"
        )
    return array[list(channels)]


def _channel_axis_first(
    array: np.ndarray, channels: Sequence[int] | None, name: str, space: tuple[int, ...] | None
) -> np.ndarray:
    """Find the channel axis among the last and the first; see ``to_channels_first``."""
    first, last = array.shape[0], array.shape[-1]
    fits_first, fits_last = array.shape[1:] == space, array.shape[:-1] == space
    if fits_first and not fits_last:
        return array
    if fits_last or last <= FEW or (channels is not None and last < first):
        array = np.moveaxis(array, -1, 0)
        return array[:3] if last == 4 and channels is None else array
    if first <= FEW or channels is not None:
        return array
    raise UserError(
        f"{name} came with shape {array.shape}; wanted {array.ndim - 1} axes of space and at most {FEW} channels; "
        "pick channels by index (channels), or treat it as a volume (ndim 3)"
    )


def spatial_axes(array: np.ndarray) -> int:
    """Axes of space, 2 or 3, that an image without labels seems to have: a short axis counts as channels."""
    shape = [size for size in array.shape if size > 1]
    return 3 if len(shape) > 3 or (len(shape) == 3 and min(shape[0], shape[-1]) > FEW) else 2
