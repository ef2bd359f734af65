"""The libraries that run exported networks; the file says which."""

from __future__ import annotations

from pathlib import Path

from segraft.errors import UserError
from segraft.model.exported_runner import ExportedRunner
from segraft.model.onnx_file import Known
from segraft.model.onnx_runner import OnnxRunner
from segraft.model.openvino_runner import OpenVinoRunner

RUNTIMES = {"onnxruntime": OnnxRunner, "openvino": OpenVinoRunner}
"""Runners by what the file calls the library."""


def open_exported(path: Path, known: Known, device: str = "auto") -> ExportedRunner:
    """The runner of an exported network.

    Raises ``UserError`` where the library is not installed, is not known to this version, or has no such device.
    """
    if known.runtime not in RUNTIMES:
        raise UserError(
            f"{path}: got a network to be run by {known.runtime!r}, expected one of {', '.join(RUNTIMES)}; "
            "update segraft"
        )
    return RUNTIMES[known.runtime](path, known, device)
