"""What runs a network, whatever it runs on: NumPy in, NumPy out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from segraft.types import Geometry, Space


@runtime_checkable
class Runner(Protocol):
    """All that tiling, memory planning, benchmarking and `Model` know of a network."""

    @property
    def geometry(self) -> Geometry:
        """Sizes that it takes and gives."""
        ...

    @property
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda:0``."""
        ...

    @property
    def engine(self) -> str:
        """What runs it, and in which numbers, for people to read: ``OpenVINO, int8``."""
        ...

    @property
    def threads(self) -> int:
        """Threads of the CPU that it uses."""
        ...

    def use_threads(self, count: int) -> None:
        """Use so many threads of the CPU from now on."""
        ...

    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map ``(C, *w)`` float32 to the embedding ``(D, *v)`` and foreground logits ``(*v)``, both float32.

        Raises ``UserError`` where the device has too little memory, or ``w`` is no size that the geometry allows.
        """
        ...

    def memory(self, window: Space) -> float:
        """Bytes that a run takes at most for a window ``(*w)``; an estimate, nothing is computed."""
        ...

    def peak(self) -> int | None:
        """Most bytes of a GPU that this process took; None on the CPU, and where nobody tells."""
        ...

    def complexity(self, window: Space) -> tuple[int, int]:
        """Parameters, and multiply-adds of convolutions for a window ``(*w)``."""
        ...
