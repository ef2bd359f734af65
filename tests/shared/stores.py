"""What was written block by block, to compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def files(store: Path) -> dict[str, bytes]:
    """All files of an output, by name."""
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


def labels_of(store: Path) -> np.ndarray:
    """The labels of the finest level."""
    import zarr

    return np.asarray(zarr.open_array(store / "0", mode="r")[:])
