"""The shapes that travel between modules. ``*space`` is ``(y, x)`` or ``(z, y, x)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

Offsets = tuple[tuple[int, ...], ...]
"""Displacement vectors in pixels, one per affinity channel, in array order."""

Embedding = Float[Tensor, "batch dim *space"]
Affinities = Float[Tensor, "batch offsets *space"]
Valid = Bool[Tensor, "batch offsets *space"]
Foreground = Float[Tensor, "batch 1 *space"]
Labels = Int[Tensor, "batch *space"]


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


class Output(NamedTuple):
    """Of a network: ``embedding (B, D, *space)``, foreground logits ``(B, 1, *space)``, stages bottleneck first."""

    embedding: Tensor
    foreground: Tensor
    stages: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One image as stored, ``(C, *space)``, with its label image ``(*space)`` where there is one.

    ``voxel_size`` is in nm per axis of ``*space``, None where it is not known.
    """

    image: np.ndarray
    labels: np.ndarray | None
    name: str
    voxel_size: tuple[float, ...] | None = None
