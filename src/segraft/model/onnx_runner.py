"""The runner that is an exported network, run by ONNX Runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.model.onnx_file import Known
from segraft.types import Geometry, Space

INPUT, OUTPUTS = "image", ("embedding", "foreground")
"""What the exported network calls its window ``(1, C, *w)``, its embedding ``(D, *v)`` and its logits ``(*v)``."""
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Who runs it, by device."""
QUIET = 3
"""Level of logging: errors alone."""


class OnnxRunner:
    """Runs an exported network in float32; what it costs is known from the file."""

    def __init__(self, path: Path, known: Known, device: str = "auto", threads: int | None = None) -> None:
        self.path, self.known, self._threads = path, known, threads or usual_threads()
        self._asked = _provided(device)
        self._session = _session(path, self._asked, self._threads)

    @property
    def threads(self) -> int:
        """Threads of the CPU that it uses."""
        return self._threads

    def use_threads(self, count: int) -> None:
        """Run with so many threads of the CPU from now on."""
        if count != self._threads:
            self._threads = count
            self._session = _session(self.path, self._asked, count)

    @property
    def geometry(self) -> Geometry:
        """Sizes that the network takes and gives."""
        return self.known.geometry

    @property
    def device(self) -> str:
        """Where it runs: on the CPU, too, where ONNX Runtime cannot use the device that it was built for."""
        return self._asked if self._session.get_providers()[0] == PROVIDERS["cuda"] else "cpu"

    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map ``(C, *w)`` float32 to the embedding ``(D, *v)`` and foreground logits ``(*v)``; see `Runner`."""
        self.geometry.check_input((1, *window.shape))
        try:
            embedding, foreground = self._session.run(OUTPUTS, {INPUT: np.ascontiguousarray(window, np.float32)[None]})
        except Exception as error:  # its exceptions have no common base but this
            size = " × ".join(map(str, window.shape[1:]))
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.path} cannot be run on a tile of {size} pixels ({reason}); set a smaller tile"
            ) from error
        return embedding, foreground

    def memory(self, window: Space) -> float:
        """Bytes that a run takes at most for a window ``(*w)``; an estimate, nothing is computed."""
        return float(self.known.bytes.at(window))

    def peak(self) -> int | None:
        """Nobody tells what ONNX Runtime takes of a GPU."""
        return None

    def complexity(self, window: Space) -> tuple[int, int]:
        """Parameters, and multiply-adds of convolutions for a window ``(*w)``."""
        return self.known.parameters, self.known.macs.at(window)


def _provided(device: str) -> str:
    """A device that is there; ``auto`` takes CUDA where ONNX Runtime has it."""
    here = [name for name, provider in PROVIDERS.items() if provider in _runtime().get_available_providers()]
    if device == "auto":
        return here[-1]
    kind, colon, index = device.partition(":")
    if kind not in here or bool(colon) != index.isdigit() or (kind == "cpu" and colon):
        raise UserError(
            f"device: got {device!r} for an exported network, expected auto or one of those that ONNX Runtime has "
            f"here: {', '.join(here)}; choose another, or use the model that it was exported from"
        )
    return device


def usual_threads() -> int:
    """As many as the environment says, else as this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if told.isdigit() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _session(path: Path, device: str, threads: int) -> Any:
    """Read the network. Raises ``UserError`` where ONNX Runtime cannot."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, QUIET
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would slow what follows the network
    kind, _, index = device.partition(":")
    provider = (PROVIDERS[kind], {"device_id": int(index)}) if index else PROVIDERS[kind]
    try:
        return runtime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # its exceptions have no common base but this
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read as a network ({reason[:200]}); expected what segraft export wrote; export it again"
        ) from error


def _runtime() -> Any:
    """ONNX Runtime, imported when it is needed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"an exported network needs ONNX Runtime ({error}); expected it to be there; run: pip install onnxruntime"
        ) from error
    return onnxruntime
