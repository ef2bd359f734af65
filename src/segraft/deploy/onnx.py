"""Export a network to ONNX, with everything that prediction needs in the file, and check it beside the original."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segraft.deploy.quiet import quietly
from segraft.errors import UserError
from segraft.model import onnx_file
from segraft.model.config import ModelConfig
from segraft.model.exported_runner import INPUT, OUTPUTS
from segraft.model.model_file import as_text
from segraft.model.multilinear import Multilinear
from segraft.model.onnx_file import CONFIG, NETWORK, Known
from segraft.model.runtimes import open_exported
from segraft.model.torch_runner import TorchRunner
from segraft.networks.contract import Network
from segraft.types import Geometry, Space

TOLERANCE = 1e-3
"""Largest difference of what an exported network says, as part of the largest value; sums round otherwise."""
LARGEST = 2**16
"""Pixels per side of a window that the exported network takes at most; some number has to be given."""
WINDOWS = 3
"""Windows on which an export is compared with the original."""
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


def exported(network: Network, config: ModelConfig, runtime: str = "onnxruntime") -> bytes:
    """A network as an ONNX file, for windows of all sizes that it takes; configuration and costs are in the metadata.

    ``runtime`` is what runs it: a name of ``segraft.model.runtimes``. Raises ``UserError`` where what it takes to
    export is not installed.
    """
    return described(graph(network), network, config, runtime)


def described(data: bytes, network: Network, config: ModelConfig, runtime: str, precision: str = "float32") -> bytes:
    """An ONNX model with the configuration, and what is known of its network, in its metadata; see `Known`."""
    original = TorchRunner(network.cpu().float().eval())
    known = Known(
        original.geometry,
        original.complexity(_size(original.geometry, TRACED))[0],
        Multilinear.of(lambda each: original.complexity(each)[1], original.geometry),
        Multilinear.of(original.memory, original.geometry),
        runtime,
        precision,
    )
    entries = {CONFIG: as_text(config), NETWORK: known.to_text()}
    return onnx_file.with_metadata(Path("the export"), data, entries)


def check_installed() -> None:
    """Raise ``UserError`` where a library that PyTorch's exporter needs is missing."""
    for name in ("onnx", "onnxscript"):
        try:
            import_module(name)
        except ImportError as error:
            raise UserError(
                f"export needs onnx and onnxscript ({error}); expected them; run: pip install 'segraft[deploy]'"
            ) from error


def graph(network: Network) -> bytes:
    """A network as an ONNX model whose window may have any allowed size, without our metadata.

    Raises ``UserError`` where what it takes to export is not installed.
    """
    check_installed()
    network = network.cpu().float().eval()
    return traced(_Window(network), network.geometry, OUTPUTS)


def traced(module: nn.Module, geometry: Geometry, outputs: Sequence[str]) -> bytes:
    """The graph of a module around a network, from `INPUT` to ``outputs``, for windows of all sizes that it takes."""
    image = torch.zeros(1, geometry.in_channels, *_size(geometry, TRACED))
    axes = zip(geometry.minimum, geometry.stride, strict=True)
    sides = {2 + k: _side(k, least, stride) for k, (least, stride) in enumerate(axes)}
    with quietly("torch.onnx"):
        program: Any = torch.onnx.export(
            module.eval(),
            (image,),
            dynamo=True,
            dynamic_shapes={INPUT: sides},
            input_names=[INPUT],
            output_names=outputs,
            verbose=False,
        )
    return program.model_proto.SerializeToString()


def _side(axis: int, least: int, stride: int) -> Any:
    """All sizes that one axis of a window may have, as the exporter writes them."""
    count = torch.export.Dim(f"n{axis}", min=0 if least > stride else 1, max=LARGEST // stride)
    return stride * count + (least if least > stride else 0)


def difference(network: Network, path: Path, windows: Sequence[np.ndarray], allowed: float | None = None) -> float:
    """Largest difference between a network and its exported file on windows ``(C, *w)``, as part of the largest value.

    Raises ``UserError`` where it is more than is ``allowed``, by default `TOLERANCE`, or no number.
    """
    original, copy = TorchRunner(network.cpu().float().eval()), open_exported(path, onnx_file.read(path)[1], "cpu")
    pairs = (pair for window in windows for pair in zip(original.run(window), copy.run(window), strict=True))
    return compared(pairs, allowed)


def compared(pairs: Iterable[tuple[np.ndarray, np.ndarray]], allowed: float | None = None) -> float:
    """Largest difference between what an original and its export say, as part of the largest value.

    Raises ``UserError`` as `difference`.
    """
    allowed = TOLERANCE if allowed is None else allowed
    parts = [np.abs(one - other).max() / max(np.abs(one).max(), 1e-6) for one, other in pairs]
    largest = float(np.max(parts))  # NaN where one is
    if not largest <= allowed:
        raise UserError(
            f"the exported network differs from the original by {largest:.2g} of the largest value, expected at most "
            f"{allowed:g}; nothing was kept; export with another version of PyTorch"
        )
    return largest


def export(
    network: Network, config: ModelConfig, out: Path, windows: Sequence[np.ndarray], runtime: str = "onnxruntime"
) -> float:
    """Write a network as ONNX where it says the same as the original on windows ``(C, *w)``; the largest difference.

    Raises ``UserError`` where it does not, and nothing is written; or the file cannot be.
    """
    data = exported(network, config, runtime)
    with TemporaryDirectory() as folder:
        trial = Path(folder) / f"trial{onnx_file.SUFFIX}"
        trial.write_bytes(data)
        found = difference(network, trial, windows)
    onnx_file.write(out, data)
    return found


def _size(geometry: Geometry, strides: int) -> Space:
    """A window that a network takes."""
    return tuple(least + strides * stride for least, stride in zip(geometry.minimum, geometry.stride, strict=True))
