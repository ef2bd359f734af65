"""The runner that is an exported network, run by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.model.exported_runner import INPUT, OUTPUTS, ExportedRunner, unreadable
from segraft.model.onnx_file import Known

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""Who runs it, by device."""
QUIET = 3
"""Level of logging: errors alone."""


class OnnxRunner(ExportedRunner):
    """Runs an exported network by ONNX Runtime, on the CPU or on CUDA."""

    runtime = "ONNX Runtime"

    def __init__(self, path: Path, known: Known, device: str = "auto", threads: int | None = None) -> None:
        self._asked = _provided(device)
        super().__init__(path, known, threads)

    def _open(self) -> None:
        self._session = _session(self.path, self._asked, self.threads)

    @property
    def device(self) -> str:
        """Where it runs: on the CPU, too, where ONNX Runtime cannot use the device that it was built for."""
        return self._asked if self._session.get_providers()[0] == PROVIDERS["cuda"] else "cpu"

    def _said(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        embedding, foreground = self._session.run(OUTPUTS, {INPUT: image})
        return embedding, foreground


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


def session_options(threads: int) -> Any:
    """How ONNX Runtime runs networks, on so many threads."""
    options = _runtime().SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, QUIET
    options.enable_mem_pattern = False  # it keeps memory for each size of window that it has seen
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would slow what follows the network
    return options


def _session(path: Path, device: str, threads: int) -> Any:
    """Read the network. Raises ``UserError`` where ONNX Runtime cannot."""
    runtime, options = _runtime(), session_options(threads)
    kind, _, index = device.partition(":")
    provider = (PROVIDERS[kind], {"device_id": int(index)}) if index else PROVIDERS[kind]
    try:
        return runtime.InferenceSession(path, options, providers=[provider])
    except Exception as error:  # its exceptions have no common base but this
        raise unreadable(path, error) from error


def _runtime() -> Any:
    """ONNX Runtime, imported when it is needed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(
            f"an exported network needs ONNX Runtime ({error}); expected it to be there; run: pip install onnxruntime"
        ) from error
    return onnxruntime
