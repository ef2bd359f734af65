"""Models on disk: what is written comes back, and nothing else is taken for a model."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import segraft
from segraft.errors import UserError
from segraft.model import checkpoint, model_file
from segraft.model.config import FORMAT, ModelConfig, Segmentation
from segraft.networks import create_network
from segraft.networks.contract import Network
from shared.models import a_config

FILTERS = [2, 4, 8]


def tiny(in_channels: int = 1, filters: list[int] = FILTERS) -> tuple[Network, ModelConfig]:
    network = create_network("resunet", in_channels=in_channels, dim=4, filters=tuple(filters))
    described = {"name": "resunet", "in_channels": in_channels, "dim": 4, "filters": filters}
    return network, a_config(described, percentiles=(2.0, 99.0), offsets=((-1, 0), (0, -1), (-3, 0)))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    network, config = tiny()
    checkpoint.save(tmp_path / "model.safetensors", network, config)
    return tmp_path / "model.safetensors"


def complaint(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        checkpoint.restore(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    network, config = tiny()
    network(torch.rand(2, 1, 16, 16))  # moves the running statistics of the normalisations
    checkpoint.save(tmp_path / "model.safetensors", network, config)
    restored, read = checkpoint.restore(tmp_path)  # the run folder
    assert read == config
    for name, tensor in network.state_dict().items():
        assert torch.equal(restored.state_dict()[name], tensor)
    image = torch.rand(1, 1, 16, 16)
    assert torch.equal(restored.eval()(image).embedding, network.eval()(image).embedding)


def test_a_folder_and_its_file_are_the_same_model(model: Path) -> None:
    assert model_file.locate(model) == model_file.locate(model.parent) == model


def test_weights_in_any_memory_order_are_saved(tmp_path: Path) -> None:
    network, config = tiny()
    network.to(memory_format=torch.channels_last)
    checkpoint.save(tmp_path / "m.safetensors", network, config)
    restored, _ = checkpoint.restore(tmp_path / "m.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(restored.parameters(), network.parameters(), strict=True))


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_full_disk_leaves_the_old_model_and_nothing_else(
    model: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = model.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((Path, step, full) if step == "write_bytes" else ("os.replace", full)))
    network, config = tiny()
    with pytest.raises(UserError, match="No space left on device"):
        checkpoint.save(model, network, config)
    assert model.read_bytes() == before
    assert list(model.parent.iterdir()) == [model]


@pytest.mark.parametrize("kept", [0, 4, 100, 0.5, 0.999])
def test_a_file_cut_short_is_refused(model: Path, kept: float) -> None:
    data = model.read_bytes()
    model.write_bytes(data[: int(kept * len(data)) if isinstance(kept, float) else kept])
    assert "cut short" in complaint(model)


def test_other_files_are_refused(tmp_path: Path) -> None:
    missing, text, foreign = tmp_path / "no.safetensors", tmp_path / "text.safetensors", tmp_path / "other.safetensors"
    text.write_text("this is no model " * 100)
    safetensors.torch.save_file({"weight": torch.zeros(3)}, foreign)
    assert "does not exist" in complaint(missing)
    assert "cannot be read" in complaint(text)
    assert "another program" in complaint(foreign)
    assert "holds no model.safetensors" in complaint(tmp_path)
    (tmp_path / "config.yaml").touch()
    assert "stopped before its first validation; resume it" in complaint(tmp_path)
    (tmp_path / "config.yaml").unlink()


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (Path.touch, (tmp_path / "sprung",))  # type: ignore[return-value]

    torch.save({"state_dict": Trap()}, tmp_path / "model.safetensors")
    complaint(tmp_path / "model.safetensors")
    assert not (tmp_path / "sprung").exists()


def rewrite(path: Path, header: str, state: dict[str, torch.Tensor] | None = None) -> None:
    state = state if state is not None else checkpoint.read(path)[0]
    safetensors.torch.save_file(state, path, metadata={checkpoint.HEADER: header})


def test_a_later_format_is_refused(model: Path) -> None:
    config = model_file.read_config(model).to_dict()
    rewrite(model, json.dumps({**config, "format": FORMAT + 1}))
    assert f"got format {FORMAT + 1}, expected one up to {FORMAT}; update segraft" in complaint(model)


@pytest.mark.parametrize("header", ["{", "[]", "{}", '{"format": "x"}', "null"])
def test_a_damaged_configuration_is_refused(model: Path, header: str) -> None:
    rewrite(model, header)
    assert "damaged configuration" in complaint(model)


@pytest.mark.parametrize("network", [None, {}, {"name": "resunet", "colour": 3}, {"name": "resunet", "filters": 5}])
def test_a_network_that_is_not_described_is_refused(model: Path, network: Any) -> None:
    rewrite(model, json.dumps({"format": 2, "network": network, "offsets": [[-1, 0]]}))
    assert "damaged configuration" in complaint(model) or "filters: got 5, expected" in complaint(model)


def test_an_unknown_network_is_answered_with_the_known(model: Path) -> None:
    rewrite(model, json.dumps({"format": 2, "network": {"name": "resnet"}, "offsets": [[-1, 0]]}))
    with pytest.raises(UserError, match="resunet-tiny"):
        checkpoint.restore(model)


def test_weights_of_another_network_are_refused(model: Path) -> None:
    config = model_file.read_config(model).to_dict()
    wider, _ = tiny(filters=[2, 4, 9])
    rewrite(model, json.dumps(config), wider.state_dict())
    assert "other weights" in complaint(model)
    state = tiny()[0].state_dict()
    state.pop("embedding.bias")
    rewrite(model, json.dumps(config), state)
    assert "embedding.bias" in complaint(model)


def test_a_change_of_the_configuration_leaves_the_weights(model: Path) -> None:
    state, config = checkpoint.read(model)
    changes: dict[str, Any] = {"segmentation": Segmentation("waterz"), "voxel_size": (1.0, 2.0)}
    model_file.change(model, **changes)
    after, changed = checkpoint.read(model)
    assert changed == replace(config, **changes)
    assert all(torch.equal(state[name], after[name]) for name in state | after)
    model_file.change(model.parent, segmentation=Segmentation())
    assert model_file.read_config(model).segmentation == Segmentation()


def test_a_change_that_fails_leaves_the_file(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model.read_bytes()

    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="No space left"):
        model_file.change(model, segmentation=Segmentation())
    assert model.read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == [model.name]


GOLDEN = Path(__file__).parents[1] / "golden" / "model-format-1.safetensors"
"""A model file as the first version wrote it, with a segmenter that has settings of its own."""


def test_a_file_of_the_first_format_is_upgraded(tmp_path: Path) -> None:
    model = segraft.load(GOLDEN, device="cpu")
    assert model.config == a_config(
        {"name": "resunet", "dim": 4, "filters": (2, 3)},
        percentiles=(2.0, 99.0),
        offsets=((-1, 0), (0, -1), (-3, 0), (0, -3)),
        voxel_size=(250.0, 250.0),
        channels=(1,),
        segmentation={
            "segmenter": "waterz",
            "foreground_threshold": 0.4,
            "minimum_size": 7,
            "settings": {"threshold": 0.3, "score": "median"},
        },
        training={"dataset": "folder", "seed": 0, "steps": 20, "batch": 2, "patch": [16, 16]},
    )
    y, x = np.mgrid[:16, :16]
    image = np.stack([0 * x, (np.sin(x / 2) + np.cos(y / 3) + 2) * 100]).astype(np.float32)
    embedding, probability = model.embed(image)
    np.testing.assert_allclose(embedding[:, 3, 5], [0.06007607, -0.27732942, 0.21880716, -0.31091803], rtol=1e-4)
    assert probability[3, 5] == pytest.approx(0.57739186, rel=1e-4)
    assert model.predict(image).max() == 1
    copied = tmp_path / "model.safetensors"
    copied.write_bytes(GOLDEN.read_bytes())
    model_file.change(copied, channels=(0,))
    weights, config = checkpoint.read(copied)
    assert config == replace(model.config, channels=(0,))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in checkpoint.read(GOLDEN)[0].items())
