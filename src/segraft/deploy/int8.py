"""Export a network to ONNX in 8 bits, its activations measured on images, and say what that costs in scores.

Weights become integers of 8 bits with a scale per channel, activations with a scale per tensor, by NNCF's post-training
quantisation (https://docs.openvino.ai, "Basic Quantization Flow"); OpenVINO computes the convolutions in them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from segraft.deploy import onnx
from segraft.deploy.agreement import Agreement, agreement
from segraft.deploy.quiet import quietly
from segraft.errors import UserError
from segraft.model import checkpoint, onnx_file, openvino_runner
from segraft.model.config import ModelConfig
from segraft.model.exported_runner import INPUT
from segraft.model.model import load
from segraft.networks.contract import Network

RUNTIME, PRECISION = "openvino", "int8"
"""What runs it, and how the file calls its numbers."""
FLOAT: dict[int, list[str]] = {2: [], 3: ["MaxPool"]}
"""What stays in float32, by dimension: in volumes OpenVINO 2026.4 computes pooling in 8 bits wrongly."""
SILENT = ("NNCF_CI", "1")
"""With this in the environment NNCF tells nobody that it is used."""


def exported(network: Network, config: ModelConfig, windows: Sequence[np.ndarray]) -> bytes:
    """A network as an ONNX file in 8 bits, as `onnx.exported`; windows ``(C, *w)`` say how large activations become.

    Raises ``UserError`` where what it takes to export is not installed.
    """
    _library()
    return onnx.described(quantised(onnx.graph(network), windows), network, config, RUNTIME, PRECISION)


def quantised(graph: bytes, windows: Sequence[np.ndarray]) -> bytes:
    """An ONNX model of one image with its weights in 8 bits, and its activations where it is run."""
    from onnx import load_from_string

    library = _library()

    with quietly(library.__name__):
        images = library.Dataset(windows, lambda window: {INPUT: window[None]})
        model = library.quantize(
            load_from_string(graph),
            images,
            preset=library.QuantizationPreset.MIXED,
            subset_size=len(windows),
            ignored_scope=library.IgnoredScope(types=FLOAT[windows[0].ndim - 1]),
            fast_bias_correction=False,  # takes twice as long; measured: F1 0.002 to 0.003 higher
        )
    return model.SerializeToString()


def export(
    source: Path, out: Path, windows: Sequence[np.ndarray], samples: Sequence, force: bool = False
) -> tuple[float, Agreement]:
    """Write a model as ONNX in 8 bits; return how far it is from the original on windows, and on whole images.

    ``samples`` are what both segment; where they have labels both are scored. Raises ``UserError``, and nothing is
    written, where the score sinks too much, unless ``force``, and where the file cannot be written.
    """
    network, config = checkpoint.restore(source)
    data = exported(network, config, windows)
    with TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{onnx_file.SUFFIX}"
        trial.write_bytes(data)
        largest = onnx.difference(network, trial, windows[: onnx.WINDOWS], math.inf)
        found = agreement(load(source, "cpu"), load(trial, "cpu"), samples)
    if not force:
        found.check()
    onnx_file.write(out, data)
    return largest, found


def _library() -> Any:
    """NNCF, imported when it is needed; ``UserError`` where it, or what runs its export, is not installed."""
    openvino_runner.library()  # it takes its part after the long work
    os.environ.setdefault(*SILENT)
    try:
        with quietly("nncf"):
            import nncf
    except ImportError as error:
        raise UserError(
            f"export to int8 needs nncf ({error}); expected it; run: pip install 'segraft[deploy]'"
        ) from error
    return nncf
