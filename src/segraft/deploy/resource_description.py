"""The description of a bioimage.io package: what ``rdf.yaml`` says of a model.

The format is that of models, version 0.5: https://bioimage-io.github.io/spec-bioimage-io/bioimageio/spec/model/v0_5.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from segraft.errors import UserError
from segraft.graphs.offsets import reach
from segraft.model.config import ModelConfig
from segraft.types import Geometry, Space

FORMAT = "0.5.4"
INPUT, OUTPUTS = "image", ("affinities", "foreground")
"""Names of the tensors ``(1, C, *w)``, ``(1, N, *v)`` and ``(1, 1, *v)``, in the package and in its graph."""
WEIGHTS, README, COVER = "weights.onnx", "README.md", "cover.png"
"""Files of a package; tensors lie in ``NAME.npy``."""
PAPER = {
    "text": "X. Liu, Y. Zhang, Z. Xiong, W. Huang, B. Hu, X. Sun, F. Wu: Graph Relation Distillation for Efficient "
    "Biomedical Instance Segmentation. arXiv:2401.06370, 2024.",
    "doi": "10.48550/arXiv.2401.06370",
}
SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@dataclass(frozen=True)
class Imprint:
    """Who made a model, and under which licence it may be used; empty where that is not told."""

    authors: tuple[str, ...] = ()
    licence: str | None = None
    """An identifier of https://spdx.org/licenses."""

    def __post_init__(self) -> None:
        """Refuse what is no name, and no identifier."""
        if any(not author.strip() for author in self.authors):
            raise UserError(f"authors: got {list(self.authors)}, expected names; leave out the empty one")
        if self.licence is not None and not SPDX.fullmatch(self.licence):
            raise UserError(
                f"licence: got {self.licence!r}, expected an identifier of https://spdx.org/licenses, for example "
                "CC-BY-4.0 or MIT"
            )


def halo(geometry: Geometry, config: ModelConfig) -> Space:
    """Pixels along an output's border, per axis, that a larger image would change: a multiple of the stride.

    Some are within reach of the network's padding, others have partners outside.
    """
    sizes = zip(geometry.halo, reach(config.offsets), geometry.stride, strict=True)
    return tuple(math.ceil((padded + far) / stride) * stride for padded, far, stride in sizes)


def smallest(geometry: Geometry, config: ModelConfig) -> Space:
    """The smallest input ``(*w)`` that the package allows: more than the halo is left of its output."""
    return geometry.input_size(tuple(2 * size + 1 for size in halo(geometry, config)))


def title(config: ModelConfig) -> str:
    """What a package calls its model: letters, digits and a few signs."""
    words = ["segraft", config.network.name, str(config.training.get("dataset", ""))]
    return re.sub(r"[^A-Za-z0-9_+\- ()]+", " ", " ".join(words)).strip()[:64]


def summary(config: ModelConfig) -> str:
    """One sentence on a model."""
    dataset = config.training.get("dataset")
    trained = f", trained on {dataset}" if dataset else ""
    return f"Instance segmentation by {config.network.name}{trained}: affinities of pixels and foreground probability."


def description(
    geometry: Geometry,
    config: ModelConfig,
    percentiles: tuple[float, float],
    files: Mapping[str, bytes],
    opset: int,
    imprint: Imprint,
) -> dict[str, Any]:
    """The contents of ``rdf.yaml`` for a package of ``files``, by name, whose graph is of this version of ONNX."""
    values: dict[str, Any] = {
        "type": "model",
        "format_version": FORMAT,
        "name": title(config),
        "description": summary(config),
        "authors": [{"name": author} for author in imprint.authors],
        "cite": [PAPER],
        "tags": ["segraft", "instance-segmentation", f"{geometry.ndim}d", "pytorch", config.network.name],
        "documentation": README,
        "covers": [COVER],
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "inputs": [_input(geometry, config, percentiles, files)],
        "outputs": _outputs(geometry, config, files),
        "weights": {"onnx": {**_file(WEIGHTS, files), "opset_version": opset}},
        "config": {"segraft": config.to_dict()},
    }
    return values if imprint.licence is None else values | {"license": imprint.licence}


def _file(name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    return {"source": name, "sha256": sha256(files[name]).hexdigest()}


def _input(
    geometry: Geometry, config: ModelConfig, percentiles: tuple[float, float], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The image, and how it is brought to the model's scale."""
    sizes = zip(smallest(geometry, config), geometry.stride, strict=True)
    space = [{"size": {"min": least, "step": stride}} for least, stride in sizes]
    low, high = percentiles
    scale = {"axes": list(_axes(geometry)), "min_percentile": low, "max_percentile": high}
    return {
        "id": INPUT,
        "description": "grey values of each channel, as stored",
        "axes": [*_first([f"channel {k}" for k in range(geometry.in_channels)]), *_located(config, geometry, space)],
        "test_tensor": _file(f"{INPUT}.npy", files),
        "data": {"type": "float32"},
        "preprocessing": [{"id": "scale_range", "kwargs": scale}],
    }


def _outputs(geometry: Geometry, config: ModelConfig, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Affinities, one channel per offset, and the foreground."""
    axes = zip(_axes(geometry), geometry.margin, halo(geometry, config), strict=True)
    space = [
        {"size": {"tensor_id": INPUT, "axis_id": axis, "offset": -2 * lost}} | ({"halo": near} if near else {})
        for axis, lost, near in axes
    ]
    channels = ([" ".join(map(str, offset)) for offset in config.offsets], ["probability"])
    words = ("cosine of each pixel's embedding and that at the offset, in pixels", "probability of being in an object")
    lowest = (-1.0, 0.0)
    return [
        {
            "id": name,
            "description": text,
            "axes": [*_first(names), *_located(config, geometry, space)],
            "test_tensor": _file(f"{name}.npy", files),
            "data": {"type": "float32", "range": [low, 1.0]},
        }
        for name, names, text, low in zip(OUTPUTS, channels, words, lowest, strict=True)
    ]


def _axes(geometry: Geometry) -> str:
    """Names of the axes of space."""
    return "zyx"[-geometry.ndim :]


def _first(channels: list[str]) -> list[dict[str, Any]]:
    """The axes before those of space."""
    return [{"type": "batch", "size": 1}, {"type": "channel", "channel_names": channels}]


def _located(config: ModelConfig, geometry: Geometry, space: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The axes of space with their names, and the size of a pixel where it is known."""
    units: list[dict[str, Any]] = [{}] * geometry.ndim
    if config.voxel_size is not None:
        units = [{"unit": "nanometer", "scale": float(size)} for size in config.voxel_size]
    named = zip(_axes(geometry), space, units, strict=True)
    return [{"type": "space", "id": axis, **sizes, **unit} for axis, sizes, unit in named]
