"""The ``_seg.npy`` files of Cellpose: a pickled dictionary, of which the masks are read and no code is run.

A pickle may name any function of any module and have it called. Here only those that rebuild NumPy's arrays and
numbers are found; whatever else a file names becomes a `_Nothing`, which takes anything and does nothing.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from segraft.errors import UserError

MASKS = "masks"
"""The entry of the dictionary with the labels."""
REBUILDING: dict[str, Any] = {
    "_reconstruct": np.empty(0).__reduce__()[0],
    "_frombuffer": np.empty(1).__reduce_ex__(5)[0],
    "scalar": np.float64(0).__reduce__()[0],
    "ndarray": np.ndarray,
    "dtype": np.dtype,
}
"""What rebuilds arrays and numbers, by the name that pickles have for it; its module depends on NumPy's version."""


class _Nothing(list):
    """Stands for an object of another kind: made of anything, given anything, and of no use."""

    def __new__(cls, *_: Any, **__: Any) -> _Nothing:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setitem__(self, *_: Any) -> None:
        """Take an entry as dictionaries do."""

    def __setstate__(self, _: Any) -> None:
        """Take any state."""


class _Arrays(pickle.Unpickler):
    """Reads arrays, numbers, text and containers of these."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what rebuilds arrays, or a `_Nothing`; no module that a file names is imported."""
        return REBUILDING.get(name, _Nothing) if module.partition(".")[0] == "numpy" else _Nothing

    def persistent_load(self, pid: Any) -> Any:
        """Return nothing for what lies outside of the file."""
        return _Nothing()


def holds_objects(path: Path) -> bool:
    """Whether a npy file holds Python objects; raises ``ValueError`` for what is no npy file."""
    with path.open("rb") as file:
        return _header(file)


def read_masks(path: Path) -> np.ndarray:
    """Read the masks of a ``_seg.npy`` file, as stored. Raises ``UserError`` for a file of other objects."""
    with path.open("rb") as file:
        _header(file)
        try:
            found = _Arrays(file).load()
        except Exception as error:  # whatever the parts of a broken pickle raise
            raise _other(path, " ".join(str(error).split()) or type(error).__name__) from error
    content = found.item() if isinstance(found, np.ndarray) and found.shape == () else None
    masks = content.get(MASKS) if isinstance(content, dict) else None
    if not isinstance(masks, np.ndarray) or masks.dtype == object:
        raise _other(path, f"no {MASKS} among them")
    return masks


def _header(file: BinaryIO) -> bool:
    """Read the head of a npy file up to its contents; return whether these are Python objects."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    _, _, dtype = read[version](file) if version in read else (None, None, np.dtype(float))
    return dtype.hasobject


def _other(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path}: got Python objects ({reason}), expected numbers, or what Cellpose saves as NAME_seg.npy; export the "
        "masks as png or tif"
    )
