"""Exported networks say what the originals say, at every size; what differs is not kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx as library
import pytest

import segraft
from segraft.deploy import onnx
from segraft.errors import UserError
from segraft.model import checkpoint, model_file, onnx_file
from segraft.model.onnx_runner import OnnxRunner
from segraft.model.runner import Runner
from segraft.model.torch_runner import TorchRunner
from segraft.networks import NETWORKS, create_network
from segraft.types import Space
from shared.exports import assert_alike, noise
from shared.models import a_config
from shared.networks import SMALL_FILTERS
from shared.samples import row_of_cells


def opened(path: Path) -> OnnxRunner:
    return OnnxRunner(path, onnx_file.read(path)[1], "cpu", threads=1)


@pytest.mark.parametrize("space", [(8, 8), (16, 200), (120, 64), (300, 301)])
def test_images_of_all_sizes(pair: Path, space: Space) -> None:
    original, copy = segraft.load(pair / "model.safetensors", "cpu").runner, opened(pair / "model.onnx")
    assert isinstance(copy, Runner)
    assert_alike(original, copy, space)
    assert copy.device == "cpu"


def test_volumes_of_all_sizes(tmp_path: Path) -> None:
    """Of a network whose windows shrink, by several channels."""
    filters = SMALL_FILTERS["mala-tiny"]
    network = create_network("mala-tiny", 2, 4, filters).eval()
    described = {"name": "mala-tiny", "in_channels": 2, "dim": 4, "filters": filters}
    (tmp_path / "deep.onnx").write_bytes(onnx.exported(network, a_config(described, ndim=3)))
    for space in ((1, 1, 1), (24, 90, 120)):
        assert_alike(TorchRunner(network), opened(tmp_path / "deep.onnx"), space)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name: str, tmp_path: Path) -> None:
    network = create_network(name, 1, 4, SMALL_FILTERS[name]).eval()
    config = a_config({"name": name, "dim": 4, "filters": SMALL_FILTERS[name]}, ndim=network.geometry.ndim)
    runner = TorchRunner(network)
    spaces = ((1,) * network.geometry.ndim, (30, 280, 230)[-network.geometry.ndim :])
    windows = [noise(network.geometry, space) for space in spaces]
    assert onnx.export(network, config, tmp_path / "model.onnx", windows) <= onnx.TOLERANCE
    for space in spaces:
        assert_alike(runner, opened(tmp_path / "model.onnx"), space)


def test_memory_is_that_of_the_original_for_large_windows(pair: Path) -> None:
    original, copy = segraft.load(pair / "model.safetensors", "cpu").runner, opened(pair / "model.onnx")
    for space in ((512, 512), (1024, 1536)):
        assert copy.memory(space) == pytest.approx(original.memory(space), rel=0.1)


def test_the_file_is_a_sound_onnx_model(pair: Path) -> None:
    model = library.load(pair / "model.onnx")
    library.checker.check_model(model, full_check=True)
    assert [each.name for each in model.graph.input] == ["image"]
    assert [each.name for each in model.graph.output] == ["embedding", "foreground"]
    assert {each.key for each in model.metadata_props} == {"segraft", "segraft_network"}
    assert onnx_file.read(pair / "model.onnx")[0] == model_file.read_config(pair)


def test_labels_are_those_of_the_original(pair: Path) -> None:
    image = row_of_cells(2).image
    original, copy = segraft.load(pair, "cpu"), segraft.load(pair / "model.onnx")
    expected = original.predict(image)
    assert expected.max() > 1
    assert np.array_equal(copy.predict(image), expected)
    assert np.array_equal(copy.predict(image, tile=32), original.predict(image, tile=32))


@pytest.mark.parametrize(
    ("shape", "words"),
    [((1, 30, 32), "nearest 28 × 32 or 32 × 32"), ((2, 32, 32), "expected .batch, 1, y, x."), ((32, 32), "expected")],
)
def test_windows_that_it_cannot_take(pair: Path, shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        opened(pair / "model.onnx").run(np.zeros(shape, np.float32))


def test_devices_and_threads(pair: Path) -> None:
    known = onnx_file.read(pair / "model.onnx")[1]
    for device in ("mps", "gpu", "cuda:0", "cuda:x", "cpu:7", "cpu:", ""):
        with pytest.raises(UserError, match=f"device: got '{device}' for an exported network, expected .* cpu; choose"):
            OnnxRunner(pair / "model.onnx", known, device)
    runner = OnnxRunner(pair / "model.onnx", known, threads=2)
    before = runner.run(noise(known.geometry, (64, 64)))
    runner.use_threads(1)
    assert runner.threads == 1
    np.testing.assert_allclose(runner.run(noise(known.geometry, (64, 64)))[0], before[0], atol=1e-5)


@pytest.mark.parametrize(("told", "expected"), [("3", 3), ("4,2", 4), ("", None), ("many", None), ("0", None)])
def test_the_threads_are_those_of_the_environment(
    pair: Path, monkeypatch: pytest.MonkeyPatch, told: str, expected: int | None
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    runner = OnnxRunner(pair / "model.onnx", onnx_file.read(pair / "model.onnx")[1], "cpu")
    assert runner.threads == (expected or len(os.sched_getaffinity(0)))


def test_what_onnx_runtime_cannot_do_is_answered(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exceptions are of its own kind."""
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    class Failing:
        def run(self, *_: object) -> None:
            raise RuntimeException("Failed to allocate memory")

    runner = opened(pair / "model.onnx")
    monkeypatch.setattr(runner, "_session", Failing())
    with pytest.raises(
        UserError, match=r"on a tile of 32 × 32 pixels \(Failed to allocate memory\); set a smaller tile"
    ):
        runner.run(np.zeros((1, 32, 32), np.float32))


def test_what_is_no_number_is_not_kept(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, _ = checkpoint.restore(pair)
    said = OnnxRunner.run
    monkeypatch.setattr(OnnxRunner, "run", lambda *given: tuple(part * np.nan for part in said(*given)))
    with pytest.raises(UserError, match="differs from the original by nan"):
        onnx.difference(network, pair / "model.onnx", [noise(network.geometry, (32, 32))] * 2)


def test_without_onnx_runtime(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match=r"needs ONNX Runtime .*pip install onnxruntime"):
        segraft.load(pair / "model.onnx")


def test_a_graph_of_another_kind(pair: Path, tmp_path: Path) -> None:
    """Its metadata are ours, but what they describe is not there."""
    data = (pair / "model.onnx").read_bytes()
    entries = {each.key: each.value for each in library.load_from_string(data).metadata_props}
    empty = library.ModelProto(ir_version=10).SerializeToString()
    path = tmp_path / "empty.onnx"
    path.write_bytes(onnx_file.with_metadata(path, empty, entries))
    with pytest.raises(UserError, match=r"empty\.onnx cannot be read as a network"):
        segraft.load(path)


def test_what_differs_is_not_kept(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other, config = checkpoint.restore(pair)
    data = (pair / "model.onnx").read_bytes()
    monkeypatch.setattr(onnx, "exported", lambda *_: data)
    other.eval().embedding.bias.data += 1  # type: ignore[operator, union-attr]
    (tmp_path / "model.onnx").write_bytes(b"before")
    with pytest.raises(UserError, match=r"differs from the original by .* expected at most 0\.001; nothing was kept"):
        onnx.export(other, config, tmp_path / "model.onnx", [noise(other.geometry, (64, 64))])
    assert (tmp_path / "model.onnx").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_without_the_extra(pair: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"export needs onnx and onnxscript .*pip install 'segraft\[deploy\]'"):
        onnx.exported(*checkpoint.restore(pair))
