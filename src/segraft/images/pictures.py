"""Pictures of everyday formats: png, jpg, bmp and webp."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from segraft.errors import UserError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
EXACT = (".png", ".bmp")
"""Those whose compression alters no pixel."""
PNG_LIMIT = 65535


def read_picture(path: Path, key: str | None, labels: bool) -> np.ndarray:
    """Read a png, jpg, bmp or webp; where there is a palette an image takes its colours, a label image the indices.

    Raises ``UserError`` for labels in a jpg or webp.
    """
    from PIL import Image

    if labels and path.suffix.lower() not in EXACT:
        kind = path.suffix.lower().lstrip(".")
        raise UserError(
            f"{path}: got a {kind} as labels, expected a format that keeps numbers exactly; save labels as tif or png"
        )
    data = path.read_bytes()
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[24:25] == b"\x10" and data[25:26] in b"\x02\x06":
        import imagecodecs

        return imagecodecs.png_decode(data)  # Pillow would cut 16-bit colours to 8 bits
    with Image.open(path) as picture:
        if picture.mode == "P" and not labels:
            return np.asarray(picture.convert("RGB"))
        return np.asarray(picture)


def write_png(temporary: Path, array: np.ndarray, path: Path, key: str) -> None:
    """Write a png: 8-bit grey or colour as it is, other integers as 16-bit grey.

    Raises ``UserError`` for other types, other dimensions and values beyond 16 bits.
    """
    from PIL import Image

    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[-1] in (3, 4)
    if not np.issubdtype(array.dtype, np.integer) or not (grey or (colour and array.dtype == np.uint8)):
        got = f"got {array.dtype} with shape {array.shape}"
        raise UserError(f"{path}: {got}, expected 2-D integers for a png; use .tif, .h5 or .zarr")
    if array.size and (array.min() < 0 or array.max() > PNG_LIMIT):
        got = f"got values from {array.min()} to {array.max()}"
        raise UserError(f"{path}: {got}, expected 0 to {PNG_LIMIT} for a png; use .tif, .h5 or .zarr")
    Image.fromarray(array if array.dtype == np.uint8 else array.astype(np.uint16)).save(temporary, format="png")
