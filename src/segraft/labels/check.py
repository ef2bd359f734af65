"""What a label image is: one integer per pixel, 0 background, −1 unknown, positive ids of instances."""

from __future__ import annotations

import numpy as np

from segraft.errors import UserError

UNKNOWN = -1
"""Label of pixels whose true label is unknown; scores and supervised losses leave them out."""
BEYOND = np.float64(2**63)
"""Above all floats that are labels."""


def check_labels(array: np.ndarray, name: str = "labels") -> np.ndarray:
    """Return ``array`` as a label image, ``(y, x)`` or ``(z, y, x)``.

    Booleans become 0 and 1; integers of any width keep their type; floats become integers where all of them are whole
    numbers, as in Fiji's 32-bit label images. ``name`` names the array in messages. Raises ``UserError`` for colours,
    fractions, NaN, negative labels other than −1, empty arrays and other dimensions.
    """
    array = np.asarray(array)
    check_kind(array.shape, array.dtype, name)
    if array.dtype == bool:
        return array.astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        array = _whole(array, name)
    if np.issubdtype(array.dtype, np.signedinteger) and (lowest := int(array.min())) < UNKNOWN:
        raise UserError(
            f"{name}: got the label {lowest}, expected 0 for background, −1 for unknown and positive instances; "
            "renumber the negative labels"
        )
    return array


def check_kind(shape: tuple[int, ...], dtype: np.dtype, name: str = "labels") -> None:
    """Raise ``UserError`` for shapes and types of arrays that are no label images, whatever their pixels."""
    if len(shape) == 3 and dtype == np.uint8 and holds_colours(shape):
        raise colours(shape, name)
    if len(shape) not in (2, 3) or 0 in shape:
        text = "×".join(map(str, shape))
        expected = "(y, x) or (z, y, x) with at least one pixel"
        raise UserError(f"{name}: got shape ({text}), expected {expected}; choose or squeeze the axes")
    if dtype.kind not in "biuf":
        raise UserError(
            f"{name}: got {dtype}, expected integers, 0 for background and one number per instance; "
            "label the instances first"
        )


def holds_colours(shape: tuple[int, ...]) -> bool:
    """Whether an array ``(..., y, x, channels)`` can be a picture in colour: no tiny volume."""
    return shape[-1] in (3, 4) and min(shape[-3:-1]) > 4


def colours(shape: tuple[int, ...], name: str) -> UserError:
    """Return the error for labels ``(y, x, channels)`` in colour, or with transparency."""
    return UserError(
        f"{name}: got a picture in colour or with transparency ({'×'.join(map(str, shape))}), expected one integer per "
        "pixel; save the label image itself, a number for each object; for the raw masks of BBBC039 use "
        "--dataset bbbc039 --root DIR"
    )


def _whole(array: np.ndarray, name: str) -> np.ndarray:
    """Floats as integers, int32 or int64; ``UserError`` unless all are whole numbers, which int64 holds."""
    inside = np.abs(array) < BEYOND  # of NaN, this is false
    wrong = array[~inside] if not inside.all() else array[array != np.rint(array)]
    if wrong.size:
        raise UserError(
            f"{name}: got {array.dtype} with {wrong.size} values such as {wrong[0]:g}, expected integers, 0 for "
            "background and one number per instance; label the instances first"
        )
    return array.astype(np.int32 if float(np.abs(array).max()) < 2**31 else np.int64)
