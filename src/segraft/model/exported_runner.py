"""What all runners of exported networks have in common: what a run costs is known from the file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from segraft.errors import UserError
from segraft.model.onnx_file import Known
from segraft.types import Geometry, Space

INPUT, OUTPUTS = "image", ("embedding", "foreground")
"""What the exported network calls its window ``(1, C, *w)``, its embedding ``(D, *v)`` and its logits ``(*v)``."""


class ExportedRunner(ABC):
    """Runs an exported network with so many threads of the CPU; see `Runner`."""

    runtime: str
    """The library that runs it, as people call it."""

    def __init__(self, path: Path, known: Known, threads: int | None = None) -> None:
        self.path, self.known, self._threads = path, known, threads or _usual_threads()
        self._open()

    @abstractmethod
    def _open(self) -> None:
        """Read the network, to be run with ``threads``. Raises ``UserError`` where the library cannot."""

    @abstractmethod
    def _said(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map ``(1, C, *w)`` to the embedding and the logits; raises whatever the library does."""

    @property
    def threads(self) -> int:
        """Threads of the CPU that it uses."""
        return self._threads

    def use_threads(self, count: int) -> None:
        """Run with so many threads of the CPU from now on."""
        if count != self._threads:
            self._threads = count
            self._open()

    @property
    def geometry(self) -> Geometry:
        """Sizes that the network takes and gives."""
        return self.known.geometry

    @property
    @abstractmethod
    def device(self) -> str:
        """Where it runs: ``cpu``, ``cuda:0``."""

    @property
    def engine(self) -> str:
        """What runs it, and in which numbers."""
        return f"{self.runtime}, {self.known.precision}"

    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map ``(C, *w)`` float32 to the embedding ``(D, *v)`` and foreground logits ``(*v)``; see `Runner`."""
        self.geometry.check_input((1, *window.shape))
        try:
            return self._said(np.ascontiguousarray(window, np.float32)[None])
        except MemoryError:
            raise
        except Exception as error:  # the libraries' exceptions have no common base but this
            size = " × ".join(map(str, window.shape[1:]))
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.path} cannot be run on a tile of {size} pixels ({reason}); set a smaller tile, "
                "or in blocks less --max-memory"
            ) from error

    def memory(self, window: Space) -> float:
        """Bytes that a run takes at most for a window ``(*w)``; an estimate, nothing is computed."""
        return float(self.known.bytes.at(window))

    def peak(self) -> int | None:
        """Nobody tells what these libraries take of a GPU."""
        return None

    def complexity(self, window: Space) -> tuple[int, int]:
        """Parameters, and multiply-adds of convolutions for a window ``(*w)``."""
        return self.known.parameters, self.known.macs.at(window)


def unreadable(path: Path, error: Exception) -> UserError:
    """What to raise where a library cannot read the network of a file."""
    reason = " ".join(str(error).split())
    return UserError(
        f"{path} cannot be read as a network ({reason[:200]}); expected what segraft export wrote; export it again"
    )


def _usual_threads() -> int:
    """As many as the environment says, else as this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
