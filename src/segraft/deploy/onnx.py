"""Export a network to ONNX, with everything that prediction needs in the file, and check it beside the original."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segraft.errors import UserError
from segraft.model import onnx_file
from segraft.model.config import ModelConfig
from segraft.model.multilinear import Multilinear
from segraft.model.onnx_file import CONFIG, NETWORK, Known
from segraft.model.onnx_runner import INPUT, OUTPUTS, OnnxRunner
from segraft.model.torch_runner import TorchRunner
from segraft.networks.contract import Network
from segraft.types import Geometry, Space

TOLERANCE = 1e-3
"""Largest difference of what an exported network says, as part of the largest value; sums round otherwise."""
LARGEST = 2**16
"""Pixels per side of a window that the exported network takes at most; some number has to be given."""
TRACED = 4
"""Strides beyond the smallest window of the window that the export follows."""


class _Window(nn.Module):
    """A network as it is exported: one image, and its two outputs without their batch."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        output = self.network(image)
        return output.embedding[0], output.foreground[0, 0]


def exported(network: Network, config: ModelConfig) -> bytes:
    """A network as an ONNX file, for windows of all sizes that it takes; configuration and costs are in the metadata.

    Raises ``UserError`` where what it takes to export is not installed.
    """
    _check_installed()
    original = TorchRunner(network.cpu().float().eval())
    window = _size(original.geometry, TRACED)
    macs = Multilinear.of(lambda each: original.complexity(each)[1], original.geometry)
    known = Known(
        original.geometry,
        original.complexity(window)[0],
        macs,
        Multilinear.of(original.memory, original.geometry),
    )
    entries = {CONFIG: json.dumps(config.to_dict(), sort_keys=True), NETWORK: known.to_text()}
    return onnx_file.with_metadata(Path("the export"), _traced(network, window), entries)


def _check_installed() -> None:
    """Raise ``UserError`` where a library that PyTorch's exporter needs is missing."""
    for name in ("onnx", "onnxscript"):
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(
                f"export needs onnx and onnxscript ({error}); expected them; run: pip install 'segraft[deploy]'"
            ) from error


def _traced(network: Network, window: Space) -> bytes:
    """The graph of a network, whose window may have any allowed size."""
    geometry = network.geometry
    image = torch.zeros(1, geometry.in_channels, *window)
    axes = zip(geometry.minimum, geometry.stride, strict=True)
    sides = {2 + k: _side(k, least, stride) for k, (least, stride) in enumerate(axes)}
    with _quietly():
        program: Any = torch.onnx.export(
            _Window(network).eval(),
            (image,),
            dynamo=True,
            dynamic_shapes={INPUT: sides},
            input_names=[INPUT],
            output_names=OUTPUTS,
            verbose=False,
        )
    return program.model_proto.SerializeToString()


def _side(axis: int, least: int, stride: int) -> Any:
    """All sizes that one axis of a window may have, as the exporter writes them."""
    count = torch.export.Dim(f"n{axis}", min=0 if least > stride else 1, max=LARGEST // stride)
    return stride * count + (least if least > stride else 0)


@contextmanager
def _quietly() -> Iterator[None]:
    """The exporter warns of its own inner workings, and of libraries that it does without."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


def difference(network: Network, path: Path, windows: list[np.ndarray]) -> float:
    """Largest difference between a network and its exported file on windows ``(C, *w)``, as part of the largest value.

    Raises ``UserError`` where it is more than `TOLERANCE`, or no number.
    """
    original, copy = TorchRunner(network.cpu().float().eval()), OnnxRunner(path, onnx_file.read(path)[1], "cpu")
    parts = [
        np.abs(one - other).max() / max(np.abs(one).max(), 1e-6)
        for window in windows
        for one, other in zip(original.run(window), copy.run(window), strict=True)
    ]
    largest = float(np.max(parts))  # NaN where one is
    if not largest <= TOLERANCE:
        raise UserError(
            f"the exported network differs from the original by {largest:.2g} of the largest value, expected at most "
            f"{TOLERANCE:g}; nothing was kept; export with another version of PyTorch"
        )
    return largest


def export(network: Network, config: ModelConfig, out: Path, windows: list[np.ndarray]) -> float:
    """Write a network as ONNX where it says the same as the original on windows ``(C, *w)``; the largest difference.

    Raises ``UserError`` where it does not, and nothing is written; or the file cannot be.
    """
    data = exported(network, config)
    with TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{onnx_file.SUFFIX}"
        trial.write_bytes(data)
        found = difference(network, trial, windows)
    onnx_file.write(out, data)
    return found


def _size(geometry: Geometry, strides: int) -> Space:
    """A window that a network takes."""
    return tuple(least + strides * stride for least, stride in zip(geometry.minimum, geometry.stride, strict=True))
