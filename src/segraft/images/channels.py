"""The channel axis of an image: find it, bring it to the front, choose channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from segraft.errors import UserError
from segraft.types import Space

FEW = 4
"""An axis of at most this many entries can be a channel axis (RGB, RGBA, the usual stains)."""


@dataclass(frozen=True)
class Layout:
    """Which axes of an array are channels and space; all others have one entry. Called, it arranges such an array."""

    shape: tuple[int, ...]
    """Of the array."""
    channel: int | None
    """The axis of channels."""
    axes: tuple[int, ...]
    """The axes of space, in order."""
    chosen: tuple[int, ...]
    """The channels, by index."""

    @property
    def space(self) -> Space:
        """The sizes of the axes of space."""
        return tuple(self.shape[axis] for axis in self.axes)

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """Bring the array to ``(C, *space)``; a view where the channels are the first ones."""
        kept = [axis for axis in range(array.ndim) if axis == self.channel or axis in self.axes]
        array = array.reshape([array.shape[axis] for axis in kept])
        array = array[None] if self.channel is None else np.moveaxis(array, kept.index(self.channel), 0)
        first = self.chosen == tuple(range(len(self.chosen)))
        return array[: len(self.chosen)] if first else array[list(self.chosen)]


def to_channels_first(
    array: np.ndarray,
    ndim: int,
    channels: Sequence[int] | None = None,
    name: str = "an image",
    space: Space | None = None,
) -> np.ndarray:
    """Bring an image with ``ndim`` axes of space to ``(C, *space)``: see `layout`."""
    return layout(array.shape, ndim, channels, name, space)(array)


def layout(
    shape: Space,
    ndim: int,
    channels: Sequence[int] | None = None,
    name: str = "an image",
    space: Space | None = None,
    letters: str = "",
) -> Layout:
    """Tell the axes of an image of that shape with ``ndim`` axes of space; ``name`` names it in messages.

    An image without a further axis has one channel. Else the channel axis is the one that ``letters``, one per axis,
    call C or S, if they do, or the last or the first one:

    - with ``space``, the shape of the labels, the one without which the shape is ``space``;
    - without it, the last one if it has at most four entries, else the first one if it has at most four;
    - with ``channels``, indices to choose, it may have more entries: the shorter of the two.

    Four channels in the last axis are RGBA: alpha is dropped, unless ``channels`` are given. Other axes of one entry
    are removed. Raises ``UserError`` when there is no such axis, and for ``channels`` that the image does not have.
    """
    named = next((letters.find(letter) for letter in "CS" if letter in letters), None) if len(shape) > ndim else None
    kept = [axis for axis in range(len(shape)) if axis != named]
    while len(kept) > ndim + (named is None) and any(shape[axis] == 1 for axis in kept):
        kept.remove(next(axis for axis in kept if shape[axis] == 1))
    if len(kept) == ndim:
        channel = named
    elif named is None and len(kept) == ndim + 1:
        channel = kept.pop(_channel_axis(tuple(shape[axis] for axis in kept), channels, name, space))
    else:
        expected = f"{ndim} axes of space and at most one of channels"
        raise UserError(f"{name}: got shape {shape}, expected {expected}; save each image or volume on its own")
    count = 1 if channel is None else shape[channel]
    alpha = channel is not None and count == 4 and channel > kept[-1] and letters[channel : channel + 1] != "C"
    channels = range(3 if alpha else count) if channels is None else channels
    if not channels or not all(0 <= each < count for each in channels):
        raise UserError(
            f"{name}: got channels {tuple(channels)}, expected indices from 0 to {count - 1} "
            f"(there are {count} channels); choose other channels"
        )
    return Layout(shape, channel, tuple(kept), tuple(channels))


def _channel_axis(shape: Space, channels: Sequence[int] | None, name: str, space: Space | None) -> int:
    """Return the place of the channel axis, the last or the first one; see `layout`."""
    first, last = shape[0], shape[-1]
    fits_first, fits_last = shape[1:] == space, shape[:-1] == space
    if fits_first and not fits_last:
        return 0
    if fits_last or last <= FEW or (channels is not None and last < first):
        return len(shape) - 1
    if first <= FEW or channels is not None:
        return 0
    raise UserError(
        f"{name}: got shape {shape}, expected {len(shape) - 1} axes of space and at most {FEW} channels; "
        "choose channels by index (channels), or treat it as a volume (ndim 3)"
    )


def model_layout(
    shape: Space,
    ndim: int,
    count: int,
    channels: Sequence[int] | None = None,
    name: str = "an image",
    letters: str = "",
) -> Layout:
    """The `layout` of an image for a model of ``count`` channels: a first axis of that many is theirs."""
    if 0 in shape:
        raise UserError(f"{name}: got shape {shape}, expected at least one pixel; export it again")
    first = len(shape) == ndim + 1 and shape[0] == count and (count == 1 or shape[-1] != count)
    if channels is None and first and not set(letters) & set("CS"):
        return Layout(shape, 0, tuple(range(1, len(shape))), tuple(range(count)))
    return layout(shape, ndim, channels, name, letters=letters)


def check_count(image: np.ndarray, shape: Space, count: int, name: str = "an image") -> None:
    """Raise ``UserError`` for an image ``(C, *space)``, or a part of it, that has not ``count`` channels.

    ``shape`` is how it was stored.
    """
    if len(image) != count:
        example = " ".join(map(str, fullest(image, count) if len(image) > count else [0] * count))
        raise UserError(
            f"{name} of shape {shape}: got {len(image)} channels, expected {count}, as in training; "
            f"choose which (channels, for example {example})"
        )


def spatial_axes(array: np.ndarray) -> int:
    """Return how many axes of space, 2 or 3, an image without labels probably has.

    The first or last axis counts as channels if it has at most four entries; axes of one entry do not count.
    """
    shape = [size for size in array.shape if size > 1]
    return 3 if len(shape) > 3 or (len(shape) == 3 and min(shape[0], shape[-1]) > FEW) else 2


def grey(image: np.ndarray) -> np.ndarray:
    """The one channel of an image ``(C, *space)`` that is grey in colours, or with alpha; any other as it is."""
    return image[:1] if any(rule(image) for rule in GREY.values()) else image


def _alike(image: np.ndarray) -> bool:
    """Whether all channels are the same."""
    return all(np.array_equal(image[0], channel) for channel in image[1:])


def _opaque(image: np.ndarray) -> bool:
    """Whether a second channel is an alpha channel that hides nothing."""
    return len(image) == 2 and image.dtype.kind == "u" and bool((image[1] == np.iinfo(image.dtype).max).all())


GREY: dict[str, Callable[[np.ndarray], bool]] = {"alike": _alike, "opaque": _opaque}
"""When channels of an image ``(C, *space)``, or of a part of it, count as one."""


def fullest(image: np.ndarray, count: int) -> list[int]:
    """Indices of the ``count`` channels of an image ``(C, *space)`` that vary most, in their order."""
    spreads = [float(channel.std()) for channel in image]
    return sorted(sorted(range(len(image)), key=spreads.__getitem__, reverse=True)[:count])
