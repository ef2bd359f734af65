"""A model that finds objects, and what it was exported to: made once, for exporting takes seconds."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from segraft.commands.packaging import package
from segraft.deploy import int8, onnx
from segraft.deploy.affinity_network import AffinityNetwork
from segraft.deploy.resource_description import OUTPUTS, Imprint
from segraft.model import checkpoint
from segraft.model.config import ModelConfig
from segraft.model.model import Model
from segraft.model.runner import Runner
from segraft.model.torch_runner import TorchRunner
from segraft.networks.contract import Network
from segraft.types import Geometry, Space
from shared.models import a_config, lively
from shared.once import once
from shared.samples import row_of_cells


def config() -> ModelConfig:
    """Of that model."""
    described = {"name": "resunet", "dim": 4, "filters": (2, 4, 8)}
    made = a_config(described, segmentation={"minimum_size": 5}, training={"steps": 3, "dataset": "grey"})
    return replace(made, object_size=12.0)


@once
def graph() -> bytes:
    """Its network as ONNX, without metadata."""
    return onnx.graph(lively())


@once
def onnx_bytes() -> bytes:
    """The exported file."""
    return onnx.described(graph(), lively(), config(), "onnxruntime")


@once
def openvino_bytes() -> bytes:
    """The file exported for OpenVINO."""
    return onnx.described(graph(), lively(), config(), "openvino")


@once
def int8_bytes() -> bytes:
    """The file exported in 8 bits."""
    return onnx.described(int8.quantised(graph(), windows()), lively(), config(), "openvino", "int8")


def windows() -> list[np.ndarray]:
    """What its activations are measured on: cells, as it sees them, from two sides."""
    image = row_of_cells(2).image
    scaled = config().normalisation.scale(image)(image)
    return [scaled, np.ascontiguousarray(scaled[..., ::-1])]


def write_pair(folder: Path, name: str = "model") -> Path:
    """Write ``name.safetensors`` and ``name.onnx``; return the folder."""
    checkpoint.save(folder / f"{name}.safetensors", lively(), config())
    (folder / f"{name}.onnx").write_bytes(onnx_bytes())
    return folder


def write_openvino(folder: Path, name: str = "model") -> Path:
    """Write ``name.openvino.onnx`` and ``name.int8.onnx``; return the folder."""
    (folder / f"{name}.openvino.onnx").write_bytes(openvino_bytes())
    (folder / f"{name}.int8.onnx").write_bytes(int8_bytes())
    return folder


def noise(geometry: Geometry, space: Space, seed: int = 0) -> np.ndarray:
    """A window of the possible size next to ``space``."""
    size = geometry.nearest_input(space, math.ceil)
    return np.random.default_rng(seed).normal(size=(geometry.in_channels, *size)).astype(np.float32)


def assert_alike(one: Runner, other: Runner, space: Space) -> None:
    """Two runners of one network: what they say, what they take, what they cost."""
    image = noise(one.geometry, space)
    for expected, found in zip(one.run(image), other.run(image), strict=True):
        assert found.shape == expected.shape
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert other.geometry == one.geometry
    assert other.complexity(image.shape[1:]) == one.complexity(image.shape[1:])


@once
def package_graph() -> bytes:
    """The graph of that model in a package."""
    network = lively()
    module = AffinityNetwork(network.eval(), config().offsets, compressed=True)
    return onnx.traced(module, network.geometry, OUTPUTS)


def write_package(path: Path, images: list[np.ndarray], network: Network | None = None) -> Path:
    """Write that model, or another network in its place, as a bioimage.io package; return its path."""
    network = network or lively()
    named = {f"image {number}": image for number, image in enumerate(images)}
    package(network, Model(TorchRunner(network), config()), path, named, Imprint(("A. Body", "No Body"), "CC-BY-4.0"))
    return path
