"""What a label image is: one integer per pixel, 0 background, −1 unknown, positive ids of instances."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError

UNKNOWN = -1
"""Label of pixels whose true label is unknown; scores and supervised losses leave them out."""


def check_labels(array: np.ndarray, name: str = "labels") -> np.ndarray:
    """Return ``array`` as a label image, ``(y, x)`` or ``(z, y, x)``.

    Booleans become 0 and 1; integers of any width keep their type. ``name`` names the array in messages. Raises
    ``UserError`` for colours, floats, negative labels other than −1, empty arrays and other dimensions.
    """
    array = np.asarray(array)
    shape = "×".join(map(str, array.shape))
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[-1] in (3, 4) and min(array.shape[:2]) > 4:
        raise UserError(
            f"{name}: got a colour picture ({shape}), expected one integer per pixel; "
            "save a label image, or for the raw masks of BBBC039 use --dataset bbbc039 --root DIR"
        )
    if array.ndim not in (2, 3) or not array.size:
        expected = "(y, x) or (z, y, x) with at least one pixel"
        raise UserError(f"{name}: got shape ({shape}), expected {expected}; choose or squeeze the axes")
    if array.dtype == bool:
        return array.astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise UserError(
            f"{name}: got {array.dtype}, expected integers, 0 for background and one number per instance; "
            "convert them (array.astype('int32')) if they are whole numbers, else label the instances first"
        )
    if np.issubdtype(array.dtype, np.signedinteger) and (lowest := int(array.min())) < UNKNOWN:
        raise UserError(
            f"{name}: got the label {lowest}, expected 0 for background, −1 for unknown and positive instances; "
            "renumber the negative labels"
        )
    return array
