"""OpenVINO says of an exported network what PyTorch does, in float32 on every CPU."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx as library
import pytest

import segraft
from segraft.commands.info import info
from segraft.deploy import onnx
from segraft.errors import UserError
from segraft.model import onnx_file
from segraft.model.benchmarking import measure
from segraft.model.openvino_runner import OpenVinoRunner
from segraft.model.runner import Runner
from segraft.model.torch_runner import TorchRunner
from segraft.networks import create_network
from shared.exports import assert_alike, config, noise
from shared.models import a_config, lively
from shared.networks import SMALL_FILTERS
from shared.samples import row_of_cells
from test_architecture import modules_after

NAME = "model.openvino.onnx"


def opened(path: Path, threads: int = 1) -> OpenVinoRunner:
    return OpenVinoRunner(path, onnx_file.read(path)[1], threads=threads)


def test_images_of_all_sizes_by_one_runner(openvino: Path) -> None:
    original, copy = segraft.load(openvino / "model.safetensors", "cpu").runner, opened(openvino / NAME)
    assert isinstance(copy, Runner)
    for space in ((8, 8), (16, 200), (300, 301), (8, 8)):
        assert_alike(original, copy, space)
    assert copy.memory((64, 64)) == original.memory((64, 64))


@pytest.mark.slow
def test_volumes(tmp_path: Path) -> None:
    """Of a network whose windows shrink, by several channels."""
    filters = SMALL_FILTERS["mala-tiny"]
    network = create_network("mala-tiny", 2, 4, filters).eval()
    described = {"name": "mala-tiny", "in_channels": 2, "dim": 4, "filters": filters}
    (tmp_path / NAME).write_bytes(onnx.exported(network, a_config(described, ndim=3), "openvino"))
    for space in ((1, 1, 1), (34, 290, 240)):
        assert_alike(TorchRunner(network), opened(tmp_path / NAME), space)


def test_labels_are_those_of_the_original(openvino: Path) -> None:
    image = row_of_cells(2).image
    original, copy = segraft.load(openvino, "cpu"), segraft.load(openvino / NAME)
    expected = original.predict(image)
    assert expected.max() > 1
    assert copy.config == original.config
    assert np.array_equal(copy.predict(image), expected)
    assert np.array_equal(copy.predict(image, tile=32), original.predict(image, tile=32))


@pytest.mark.parametrize("name", [NAME, "model.int8.onnx"])
def test_it_computes_in_float32_wherever_it_is(openvino: Path, name: str) -> None:
    """By itself OpenVINO takes bfloat16 on CPUs that have it."""
    compiled = opened(openvino / name, threads=2)._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2


def test_it_says_what_runs_it(openvino: Path) -> None:
    told = {"model.safetensors": "PyTorch, float32", "model.onnx": "ONNX Runtime, float32"}
    told |= {NAME: "OpenVINO, float32", "model.int8.onnx": "OpenVINO, int8"}
    for name, engine in told.items():
        assert f"run by         {engine}\n" in info(openvino / name)
        assert measure(openvino / name, (40, 48), times=False)["engine"] == engine


def test_threads(openvino: Path) -> None:
    runner = opened(openvino / NAME, threads=2)
    before, image = runner._request, noise(runner.geometry, (64, 64))
    expected = runner.run(image)[0]
    runner.use_threads(2)
    assert runner._request is before  # the network is compiled once
    runner.use_threads(1)
    assert runner._request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == 1
    np.testing.assert_allclose(runner.run(image)[0], expected, atol=1e-5)


def test_results_stay_what_they_are(openvino: Path) -> None:
    """Its buffers are used again, and several threads may ask at once."""
    runner = opened(openvino / NAME)
    images = [noise(runner.geometry, (64, 32 + 4 * k), seed=k) for k in range(8)]
    expected = [runner.run(image)[0].copy() for image in images]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda image: runner.run(image)[0], images * 2))
    assert all(np.array_equal(one, other) for one, other in zip(found, expected * 2, strict=True))


@pytest.mark.parametrize("device", ["cuda", "mps", "gpu", "cpu:0", ""])
def test_other_devices(openvino: Path, device: str) -> None:
    with pytest.raises(
        UserError, match=f"device: got '{device}' for a network that OpenVINO runs, expected auto or cpu"
    ):
        segraft.load(openvino / NAME, device)


@pytest.mark.parametrize("name", [NAME, "model.int8.onnx"])
def test_without_openvino(openvino: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UserError, match=r"exported for OpenVINO needs it .* run: pip install 'segraft\[openvino\]'"):
        segraft.load(openvino / name)
    assert segraft.load(openvino / "model.onnx").runner.engine == "ONNX Runtime, float32"


def test_the_libraries_are_imported_when_they_are_needed() -> None:
    assert not {"openvino", "nncf"} & modules_after("import segraft.model.runtimes, segraft.commands.export")


def test_what_openvino_cannot_do_is_answered(openvino: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def infer(self, *_: object, **__: object) -> None:
            raise RuntimeError("Exception from core.cpp:\nno memory")

    runner = opened(openvino / NAME)
    monkeypatch.setattr(runner, "_request", Failing())
    with pytest.raises(
        UserError, match=r"tile of 32 × 32 pixels \(Exception from core.cpp: no memory\); set a smaller"
    ):
        runner.run(np.zeros((1, 32, 32), np.float32))


def rewritten(path: Path, model: bytes, **known: str) -> Path:
    """A file with the metadata of another one, but for what is changed, around a model."""
    metadata = {onnx_file.NETWORK: replace(onnx_file.read(path)[1], **known).to_text()}
    metadata[onnx_file.CONFIG] = json.dumps(config().to_dict())
    other = path.with_name("other.onnx")
    other.write_bytes(onnx_file.with_metadata(other, model, metadata))
    return other


def test_a_graph_of_another_kind(openvino: Path) -> None:
    """Its metadata are ours, but what they describe is not there."""
    empty = library.ModelProto(ir_version=10).SerializeToString()
    with pytest.raises(UserError, match=r"other\.onnx cannot be read as a network .*export it again"):
        segraft.load(rewritten(openvino / NAME, empty))


def test_a_file_of_a_later_version(openvino: Path) -> None:
    data = (openvino / NAME).read_bytes()
    with pytest.raises(UserError, match=r"run by 'tensorrt', expected one of onnxruntime, openvino; update segraft"):
        segraft.load(rewritten(openvino / NAME, data, runtime="tensorrt"))


def test_what_differs_is_not_kept(openvino: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (openvino / NAME).read_bytes()
    monkeypatch.setattr(onnx, "exported", lambda *_: data)
    other = lively().eval()
    other.embedding.bias.data += 1  # type: ignore[operator, union-attr]
    with pytest.raises(UserError, match=r"differs from the original by .* expected at most 0\.001; nothing was kept"):
        onnx.export(other, config(), tmp_path / NAME, [noise(other.geometry, (64, 64))], "openvino")
    assert not list(tmp_path.iterdir())
