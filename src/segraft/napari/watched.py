"""A runner that is watched: after each window somebody is told, and may end the work."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from segraft.model.runner import Runner
from segraft.types import Geometry, Space


class Watched:
    """Another runner, which calls ``tell`` before each window; what that raises ends the prediction."""

    def __init__(self, runner: Runner, tell: Callable[[], None]) -> None:
        self.runner, self.tell = runner, tell

    @property
    def geometry(self) -> Geometry:
        """Sizes that it takes and gives."""
        return self.runner.geometry

    @property
    def device(self) -> str:
        """Where it runs."""
        return self.runner.device

    @property
    def engine(self) -> str:
        """What runs it, and in which numbers."""
        return self.runner.engine

    @property
    def threads(self) -> int:
        """Threads of the CPU that it uses."""
        return self.runner.threads

    def use_threads(self, count: int) -> None:
        """Use so many threads of the CPU from now on."""
        self.runner.use_threads(count)

    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map ``(C, *w)`` to the embedding and foreground logits; see `Runner`."""
        self.tell()
        return self.runner.run(window)

    def memory(self, window: Space) -> float:
        """Bytes that a run takes at most for a window ``(*w)``."""
        return self.runner.memory(window)

    def peak(self) -> int | None:
        """Most bytes of a GPU that this process took."""
        return self.runner.peak()

    def complexity(self, window: Space) -> tuple[int, int]:
        """Parameters, and multiply-adds of convolutions for a window ``(*w)``."""
        return self.runner.complexity(window)
