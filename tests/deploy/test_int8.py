"""A network in 8 bits: what is stored, what runs it, and when it is refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx as library
import pytest
import torch

import segraft
from segraft.commands.export import export
from segraft.data.shipped import NUCLEI, TEACHER_FILE
from segraft.deploy import int8
from segraft.deploy.agreement import Agreement
from segraft.errors import UserError
from segraft.model import checkpoint, onnx_file
from segraft.model.torch_runner import TorchRunner
from segraft.networks import NETWORKS, create_network
from segraft.types import Space
from shared.commands import Capture
from shared.exports import int8_bytes, noise, windows
from shared.models import a_config
from shared.networks import SMALL_FILTERS
from shared.samples import row_of_cells

SAMPLE = row_of_cells(2)


def test_weights_are_stored_in_8_bits(openvino: Path) -> None:
    model = library.load(openvino / "model.int8.onnx")
    library.checker.check_model(model, full_check=True)
    arrays = {each.name: each for each in model.graph.initializer}
    stored = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert convolutions
    for node in convolutions:
        assert arrays[stored[node.input[1]]].data_type == library.TensorProto.INT8
    assert not any(each.data_type == library.TensorProto.FLOAT and len(each.dims) > 1 for each in arrays.values())


def test_all_else_is_as_in_float32(openvino: Path) -> None:
    config, known = onnx_file.read(openvino / "model.int8.onnx")
    assert config == checkpoint.read(openvino)[1]
    assert (known.runtime, known.precision) == ("openvino", "int8")
    before = onnx_file.read(openvino / "model.onnx")[1]
    assert (known.geometry, known.parameters, known.macs) == (before.geometry, before.parameters, before.macs)


def test_it_says_nearly_what_the_original_says(openvino: Path) -> None:
    original, copy = (segraft.load(openvino / name).runner for name in ("model.safetensors", "model.int8.onnx"))
    for one, other in zip(original.run(windows()[0]), copy.run(windows()[0]), strict=True):
        assert 0 < np.abs(other - one).max() < 0.25 * np.abs(one).max()
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_real_nuclei(tmp_path: Path, capsys: Capture) -> None:
    """A network of the usual student's size: scored, in a small file, with nearly the same objects."""
    path = export(TEACHER_FILE, to="int8", out=tmp_path / "a.int8.onnx", dataset="folder", root=NUCLEI)
    assert "images with truth); its labels and those of the original agree by AJI 0.9" in capsys.readouterr().out
    assert path.stat().st_size < 600_000


@pytest.mark.parametrize("space", [(8, 8), (120, 64)])
def test_images_of_other_sizes_than_it_was_measured_on(openvino: Path, space: Space) -> None:
    original, copy = (segraft.load(openvino / name).runner for name in ("model.safetensors", "model.int8.onnx"))
    image = np.abs(noise(original.geometry, space)).clip(0, 1)
    for one, other in zip(original.run(image), copy.run(image), strict=True):
        assert one.shape == other.shape
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network(name: str, tmp_path: Path) -> None:
    """Volumes, too: all that a network does is there in 8 bits, or stays in float32."""
    torch.manual_seed(0)
    network = create_network(name, 1, 4, SMALL_FILTERS[name]).eval()
    described = {"name": name, "dim": 4, "filters": SMALL_FILTERS[name]}
    geometry = network.geometry
    space = tuple(least + 3 * stride for least, stride in zip(geometry.minimum, geometry.stride, strict=True))
    window = np.abs(noise(geometry, space)).clip(0, 1)
    data = int8.exported(network, a_config(described, ndim=geometry.ndim), [window])
    (tmp_path / "a.onnx").write_bytes(data)
    original, copy = TorchRunner(network).run(window)[0], segraft.load(tmp_path / "a.onnx").runner.run(window)[0]
    assert np.corrcoef(original.ravel(), copy.ravel())[0, 1] > 0.95


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model need not be exported again."""
    monkeypatch.setattr(int8, "exported", lambda *_: int8_bytes())


@pytest.mark.usefixtures("quick")
def test_what_scores_worse_is_refused_unless_forced(
    openvino: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = Agreement(1, {"aji": 0.5, "f1": 0.5}, 1, "f1", {"f1": 0.9, "aji": 0.9}, {"f1": 0.8, "aji": 0.8})
    monkeypatch.setattr(int8, "agreement", lambda *_: worse)
    told = (openvino / "model.safetensors", tmp_path / "a.onnx", windows(), [SAMPLE])
    with pytest.raises(UserError, match=r"F1 of the export is 0\.8000 .* that of the original 0\.9000, .*--force"):
        int8.export(*told)
    assert not list(tmp_path.iterdir())
    assert int8.export(*told, force=True)[1] is worse
    assert (tmp_path / "a.onnx").read_bytes() == int8_bytes()


@pytest.mark.usefixtures("quick")
def test_what_is_no_number_is_not_kept(openvino: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = int8.onnx.difference
    nothing = [np.full_like(windows()[0], np.nan)]
    monkeypatch.setattr(
        int8.onnx, "difference", lambda network, path, _, allowed: said(network, path, nothing, allowed)
    )
    with pytest.raises(UserError, match=r"differs from the original by nan"):
        int8.export(openvino / "model.safetensors", tmp_path / "a.onnx", windows(), [SAMPLE], force=True)
    assert not list(tmp_path.iterdir())


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(UserError, match=r"export to int8 needs nncf .*pip install 'segraft\[deploy\]'"):
        int8.quantised(b"", windows())


def test_nobody_is_told_that_it_is_used() -> None:
    int8_bytes()
    from nncf.telemetry.wrapper import NNCFTelemetryStub, telemetry

    assert os.environ["NNCF_CI"]
    assert isinstance(telemetry, NNCFTelemetryStub)
