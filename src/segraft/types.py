"""The shapes that travel between modules. ``*space`` is ``(y, x)`` or ``(z, y, x)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

Offsets = tuple[tuple[int, ...], ...]
"""Displacement vectors in pixels, one per affinity channel, in array order."""


@runtime_checkable
class Stored(Protocol):
    """A NumPy array, or one in a file (h5py, zarr), of which boxes are read and written."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def ndim(self) -> int: ...

    def __len__(self) -> int: ...

    def __getitem__(self, box: Any, /) -> Any: ...

    def __setitem__(self, box: Any, values: Any, /) -> None: ...


@dataclass(frozen=True)
class Sample:
    """One image as stored, ``(C, *space)``, with its label image ``(*space)`` where there is one.

    ``voxel_size`` is in nm per axis of ``*space``, None where it is not known.
    """

    image: np.ndarray
    labels: np.ndarray | None
    name: str
    voxel_size: tuple[float, ...] | None = None
