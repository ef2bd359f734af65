"""The channel axis of an image: find it, bring it to the front, choose channels."""

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

    An image without a further axis has one channel. Else the channel axis is the last or the first one:

    - with ``space``, the shape of the labels, the one without which the shape is ``space``;
    - without it, the last one if it has at most four entries, else the first one if it has at most four;
    - with ``channels``, indices to choose, it may have more entries: the shorter of the two.

    Four channels in the last axis are RGBA: alpha is dropped, unless ``channels`` are given. Other axes of one entry
    are removed. Raises ``UserError`` when there is no such axis, and for ``channels`` that the image does not have.
    """
    shape = array.shape
    while array.ndim > ndim + 1 and 1 in array.shape:
        array = array.squeeze(array.shape.index(1))
    if array.ndim == ndim:
        array = array[None]
    elif array.ndim == ndim + 1:
        array = _channel_axis_first(array, channels, name, space)
    else:
        expected = f"{ndim} axes of space and at most one of channels"
        raise UserError(f"{name}: got shape {shape}, expected {expected}; save each image or volume on its own")
    if channels is None:
        return array
    if not channels or not all(0 <= channel < len(array) for channel in channels):
        raise UserError(
            f"{name}: got channels {tuple(channels)}, expected indices from 0 to {len(array) - 1} "
            f"(there are {len(array)} channels); choose other channels"
        )
    return array[list(channels)]


def _channel_axis_first(
    array: np.ndarray, channels: Sequence[int] | None, name: str, space: tuple[int, ...] | None
) -> np.ndarray:
    """Move the channel axis, the last or the first one, to the front; see ``to_channels_first``."""
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
        f"{name}: got shape {array.shape}, expected {array.ndim - 1} axes of space and at most {FEW} channels; "
        "choose channels by index (channels), or treat it as a volume (ndim 3)"
    )


def spatial_axes(array: np.ndarray) -> int:
    """Return how many axes of space, 2 or 3, an image without labels probably has.

    The first or last axis counts as channels if it has at most four entries; axes of one entry do not count.
    """
    shape = [size for size in array.shape if size > 1]
    return 3 if len(shape) > 3 or (len(shape) == 3 and min(shape[0], shape[-1]) > FEW) else 2


def grey(image: np.ndarray) -> np.ndarray:
    """The one channel of an image ``(C, *space)`` that is grey in colours, or with alpha; any other as it is."""
    alike = all(np.array_equal(image[0], channel) for channel in image[1:])
    opaque = len(image) == 2 and image.dtype.kind == "u" and (image[1] == np.iinfo(image.dtype).max).all()
    return image[:1] if alike or opaque else image


def fullest(image: np.ndarray, count: int) -> list[int]:
    """Indices of the ``count`` channels of an image ``(C, *space)`` that vary most, in their order."""
    spreads = [float(channel.std()) for channel in image]
    return sorted(sorted(range(len(image)), key=spreads.__getitem__, reverse=True)[:count])
