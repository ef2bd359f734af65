"""Images brought to the pixel size of the training images, and labels back."""

from __future__ import annotations

import numpy as np

from segraft.types import Space


def nearest(array: np.ndarray, shape: Space) -> np.ndarray:
    """Resize ``(*space)`` to ``shape`` by taking the nearest pixel, which keeps labels what they are."""
    picks = [((np.arange(new) + 0.5) * old / new).astype(np.intp) for old, new in zip(array.shape, shape, strict=True)]
    return array if array.shape == shape else array[np.ix_(*picks)]


def resize(image: np.ndarray, shape: Space) -> np.ndarray:
    """Resize ``(C, *space)`` linearly to ``(C, *shape)`` float32, smoothed first where it shrinks.

    Returns the same image for the same shape.
    """
    if image.shape[1:] == shape:
        return image
    from skimage.transform import resize as resized  # slow to import, and rarely needed

    channels = [resized(channel.astype(np.float32), shape, order=1, anti_aliasing=True) for channel in image]
    return np.stack(channels).astype(np.float32)
