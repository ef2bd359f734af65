"""What counts as a label image: one integer per pixel, 0 background, −1 unknown, everything else an instance."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError

UNKNOWN = -1
"""Label of pixels whose truth is not known; no score and no supervised loss counts them."""


def check_labels(array: np.ndarray, name: str = "labels") -> np.ndarray:
    """Return ``array`` as a 2-D or 3-D array of integers, or say what it is instead.

    Booleans become 0 and 1; integers of any width keep their type. Raises ``UserError`` for colours, floats,
    negative labels other than −1, empty arrays and other dimensions. ``name`` names the array in the message.
    """
    array = np.asarray(array)
    shape = "×".join(map(str, array.shape))
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[-1] in (3, 4) and min(array.shape[:2]) > 4:
        raise UserError(
            f"{name}: came as a colour picture ({shape}); wanted one integer per pixel; "
            "save a label image, or for the raw masks of BBBC039 use --dataset bbbc039 --root DIR"
        )
    if array.ndim not in (2, 3) or not array.size:
        wanted = "wanted (y, x) or (z, y, x) with at least one pixel; pick or squeeze the axes"
        raise UserError(f"{name}: came with shape ({shape}); {wanted}")
    if array.dtype == bool:
        return array.astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise UserError(
            f"{name}: came as {array.dtype}; wanted integers, 0 background and one number per instance; "
            "convert them (array.astype('int32')) if they are whole numbers, else label the instances first"
        )
    if np.issubdtype(array.dtype, np.signedinteger) and (lowest := int(array.min())) < UNKNOWN:
        raise UserError(
            f"{name}: came with the label {lowest}; wanted 0 for background, −1 for unknown and "
            "positive instances; renumber the negative labels"
        )
    return array
