"""Export a model as a bioimage.io package, which other programs run, and check it beside the original.

The package is written without the libraries of bioimage.io: a description (see `segraft.deploy.resource_description`),
the graph, one example with what the original says of it, documentation and a cover.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from segraft.deploy.affinity_network import AffinityNetwork
from segraft.deploy.onnx import check_installed, compared, traced
from segraft.deploy.package_readme import readme
from segraft.deploy.resource_description import COVER, INPUT, OUTPUTS, README, WEIGHTS, Imprint, description
from segraft.files import replacing, unwritable
from segraft.images.normalisation import Normalisation
from segraft.model.affinities import affinities, probability
from segraft.model.config import ModelConfig
from segraft.model.onnx_runner import INPUT as GRAPH_INPUT
from segraft.model.torch_runner import TorchRunner
from segraft.networks.contract import Network

SUFFIX = ".zip"
DESCRIPTION = "rdf.yaml"
MISMATCHED = 1e-4
"""Part of the affinities that may differ by more: as much as the format's own test allows."""


@dataclass(frozen=True)
class Example:
    """A window of an image, and what the model says of it."""

    image: np.ndarray
    """Grey values as stored, ``(C, *w)``."""
    affinities: np.ndarray
    """``(N, *v)``, in [-1, 1]."""
    probability: np.ndarray
    """Of being foreground, ``(*v)``."""
    labels: np.ndarray
    """``(*v)``."""


def export(
    network: Network,
    config: ModelConfig,
    out: Path,
    images: Sequence[np.ndarray],
    windows: Sequence[np.ndarray],
    draw: Callable[[Example], bytes],
    imprint: Imprint,
) -> float:
    """Write a package where its graph says the same as the original on all windows; return the largest difference.

    Parameters
    ----------
    images : ``(C, *space)``, as stored; they tell the percentiles of a model that has none of its own
    windows : ``(C, *w)``, parts of images of sizes that the package allows; the one with most objects is its example
    draw : makes the cover, a PNG file, from that example

    Raises ``UserError`` where it differs, what it takes to export is not installed, or the file cannot be written.
    """
    check_installed()
    percentiles = config.percentiles or nearest_percentiles(images)
    examples = [_example(network, config, percentiles, window) for window in windows]
    module = AffinityNetwork(network.cpu().float().eval(), config.offsets, config.normalisation.compressed)
    graph = traced(module, network.geometry, OUTPUTS)
    found = _difference(graph, percentiles, examples)
    shown = max(examples, key=lambda each: int(each.labels.max()))
    files = {
        WEIGHTS: graph,
        f"{INPUT}.npy": _npy(shown.image[None].astype(np.float32)),
        f"{OUTPUTS[0]}.npy": _npy(shown.affinities[None]),
        f"{OUTPUTS[1]}.npy": _npy(shown.probability[None, None]),
        README: readme(config, percentiles, len(images), imprint).encode(),
        COVER: draw(shown),
    }
    told = description(network.geometry, config, percentiles, files, _opset(graph), imprint)
    _write(out, files | {DESCRIPTION: _yaml(told)})
    return found


def nearest_percentiles(images: Sequence[np.ndarray]) -> tuple[float, float]:
    """The percentiles of all pixels that lie nearest to the range of what images ``(C, *space)`` show: their median."""
    shares = [
        [100 * (np.mean(channel < end) + np.mean(channel <= end)) / 2 for end in ends]
        for image in images
        for channel, ends in zip(image, Normalisation().scale(image).ranges, strict=True)
    ]
    low, high = (float(share) for share in np.median(shares, axis=0).round(2))
    return min(low, 99.0), min(max(high, low + 0.01, 1.01), 100.0)  # within what the format allows


def _example(network: Network, config: ModelConfig, percentiles: tuple[float, float], window: np.ndarray) -> Example:
    """What the original says of a window, whose grey values are scaled by these percentiles."""
    scale = Normalisation(percentiles, config.normalisation.compressed)
    embedding, logits = TorchRunner(network).run(scale(window))
    maps, chance = affinities(embedding, config.offsets), probability(logits)
    segmentation = config.segmentation
    labels = segmentation.segment(maps, config.offsets, chance > segmentation.foreground_threshold)
    return Example(window, maps, chance, labels)


def _difference(graph: bytes, percentiles: tuple[float, float], examples: Sequence[Example]) -> float:
    """Largest difference between what the original says and the graph, as part of the largest value."""
    from onnxruntime import InferenceSession

    session = InferenceSession(graph, providers=["CPUExecutionProvider"])
    pairs = []
    for example in examples:
        said = session.run(OUTPUTS, {GRAPH_INPUT: _scaled(example.image, percentiles)[None]})
        pairs += [_most(example.affinities, said[0][0]), (example.probability, said[1][0, 0])]
    return compared(pairs)


def _most(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two arrays without the few values that differ most: the cosine of a vector of hardly any length is rounding."""
    differences = np.abs(one - other)
    kept = ~(differences > np.quantile(differences, 1 - MISMATCHED))  # NaN is kept
    return one[kept], other[kept]


def _scaled(image: np.ndarray, percentiles: tuple[float, float]) -> np.ndarray:
    """An image ``(C, *w)`` as a program scales it that follows the description: ``scale_range``."""
    real = image.astype(np.float64)
    axes = tuple(range(1, image.ndim))
    low, high = np.percentile(real, percentiles, axis=axes, keepdims=True)
    return ((real - low) / (high - low + 1e-6)).astype(np.float32)


def _yaml(values: dict[str, Any]) -> bytes:
    """Plain values as YAML; lists that are alike are written as often as they occur."""
    return yaml.safe_dump(json.loads(json.dumps(values)), sort_keys=False, allow_unicode=True).encode()


def _npy(array: np.ndarray) -> bytes:
    """An array as a file of NumPy."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array))
    return file.getvalue()


def _opset(graph: bytes) -> int:
    """The version of ONNX's operators in a graph."""
    from onnx import load_from_string

    return max(each.version for each in load_from_string(graph).opset_import if each.domain in ("", "ai.onnx"))


def _write(path: Path, files: dict[str, bytes]) -> None:
    with (
        unwritable(path),
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as package,
    ):
        for name, data in files.items():
            package.writestr(name, data)
