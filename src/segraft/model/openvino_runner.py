"""The runner that is an exported network, run by OpenVINO."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.model.exported_runner import INPUT, OUTPUTS, ExportedRunner, unreadable
from segraft.model.onnx_file import Known


class OpenVinoRunner(ExportedRunner):
    """Runs an exported network by OpenVINO, on the CPU; what is not stored in 8 bits is computed in float32.

    Left to itself OpenVINO computes in bfloat16 where the CPU has it, and labels would differ between machines.
    """

    runtime = "OpenVINO"

    def __init__(self, path: Path, known: Known, device: str = "auto", threads: int | None = None) -> None:
        if device not in ("auto", "cpu"):
            raise UserError(
                f"device: got {device!r} for a network that OpenVINO runs, expected auto or cpu; omit it, or use the "
                "model that it was exported from"
            )
        super().__init__(path, known, threads)

    @property
    def device(self) -> str:
        """Where it runs."""
        return "cpu"

    def _open(self) -> None:
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,  # pinned, it waits for whatever else has its cores
        }
        openvino = library()
        try:
            self._request = openvino.Core().compile_model(self.path, "CPU", settings).create_infer_request()
            for name in OUTPUTS:
                self._request.get_tensor(name)
        except Exception as error:  # its exceptions have no common base but this
            raise unreadable(self.path, error) from error
        self._alone = Lock()

    def _said(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self._alone:  # a request has room for one window at a time
            self._request.infer({INPUT: image}, share_inputs=True)
            embedding, foreground = (np.array(self._request.get_tensor(name).data) for name in OUTPUTS)
        return embedding, foreground


def library() -> Any:
    """OpenVINO, imported when it is needed; ``UserError`` where it is not installed."""
    try:
        import openvino
    except ImportError as error:
        raise UserError(
            f"a network exported for OpenVINO needs it ({error}); expected it to be there; run: "
            "pip install 'segraft[openvino]'"
        ) from error
    return openvino
