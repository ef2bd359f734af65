"""Fine-tuning: what is taken over from the model to start from, what is told, and what does not fit."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import segraft
from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.errors import Notice, UserError
from segraft.graphs.offsets import OFFSETS
from segraft.model import checkpoint
from segraft.model.config import ModelConfig, NetworkConfig, Segmentation
from segraft.networks import create_network
from segraft.settings import TrainSettings
from segraft.training.recorded import complete
from shared.messages import one_line
from shared.runs import SMALL

FILTERS = (2, 3, 4, 5, 6)
FREE: dict[str, Any] = {name: value for name, value in SMALL.items() if name not in ("width", "dim")} | {"steps": 1}
"""A short training that says nothing of what the model to start from may decide."""


def stored(path: Path, network: NetworkConfig, **changes: Any) -> Path:
    """A model file with fresh weights."""
    built = create_network(**vars(network))
    settings = {"offsets": OFFSETS["2d" if built.ndim == 2 else "3d-long"], **changes}
    checkpoint.save(path, built, ModelConfig(network=network, **settings))
    return path


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Of one channel, its own filters and 5 channels of the embedding, at percentiles of its own."""
    network = NetworkConfig("resunet-tiny", 1, 5, FILTERS)
    tuned = Segmentation(foreground_threshold=0.3, thickness=1.0, minimum_size=77)
    return stored(tmp_path / "grey.safetensors", network, percentiles=(3.0, 97.0), segmentation=tuned)


def test_what_is_not_told_is_taken_over(grey: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = train("grey", out=tmp_path / "run", init=grey, **FREE).config
    before = segraft.load(grey).config
    assert (config.percentiles, config.offsets, config.network) == (before.percentiles, before.offsets, before.network)
    recorded = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert {name: recorded[name] for name in ("percentiles", "dim", "filters", "offsets")} == {
        "percentiles": [3.0, 97.0],
        "dim": 5,
        "filters": list(FILTERS),
        "offsets": "2d",
    }


def test_segmentation_is_not_taken_over(grey: Path, tmp_path: Path) -> None:
    given = FREE | {"foreground_threshold": 0.4}  # else it is chosen at validation
    segmentation = train("grey", out=tmp_path / "run", init=grey, **given).config.segmentation
    assert segmentation == train("grey", out=tmp_path / "fresh", **given).config.segmentation


def test_offsets_of_volumes_are_taken_over(tmp_path: Path) -> None:
    near = stored(tmp_path / "near", NetworkConfig("mala-tiny"), offsets=OFFSETS["3d"])
    settings = TrainSettings(dataset="none", out=tmp_path, network="mala-tiny", init=near)
    assert complete(settings).offsets == "3d"
    assert complete(TrainSettings(dataset="none", out=tmp_path, network="mala-tiny")).offsets == "3d-long"


def test_a_model_is_not_read_for_what_is_told(tmp_path: Path) -> None:
    """A run of complete settings is resumed where the model that it began with is gone."""
    told = {"percentiles": (1.0, 99.0), "dim": 4, "filters": FILTERS, "offsets": "2d"}
    settings = TrainSettings(dataset="none", out=tmp_path, init=tmp_path / "gone", **told)
    assert {name: getattr(complete(settings), name) for name in told} == told


def test_other_percentiles_are_taken_and_said(grey: Path, tmp_path: Path) -> None:
    with pytest.warns(Notice) as said:
        config = train("grey", out=tmp_path / "run", init=grey, percentiles=(2.0, 99.5), **FREE).config
    assert config.percentiles == (2.0, 99.5)
    assert [str(each.message) for each in said if each.category is Notice] == [
        f"percentiles: 2 99.5 in place of 3 97, with which {grey} was trained"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train("grey", out=tmp_path / "run", init=grey, percentiles=(2.0, 99.5), resume=True, **FREE)


@pytest.mark.parametrize(
    ("own", "channels", "images", "remedy"),
    [
        (1, None, "colour", (0,)),
        (1, (2,), "colour", (2,)),
        (2, (2, 0), "colour", (2, 0)),
        (2, None, "colour", (0, 1)),
        (3, (4, 5, 6), "grey", (0, 0, 0)),
    ],
)
def test_a_model_of_other_channels(
    tmp_path: Path, own: int, channels: tuple[int, ...] | None, images: str, remedy: tuple[int, ...]
) -> None:
    """One line says what to choose, and that does."""
    model = stored(tmp_path / "model", NetworkConfig("resunet-tiny", own, 4, FILTERS), channels=channels)
    with pytest.raises(UserError) as refused:
        train(images, out=tmp_path / "run", init=model, **FREE)
    message, given = one_line(refused), 3 if images == "colour" else 1
    options = "--channels " + " ".join(map(str, remedy))
    assert message == f"init: {model} does not fit: channels {own}, not {given} (choose with {options})"
    assert not (tmp_path / "run").exists()
    train(images, out=tmp_path / "run", init=model, channels=remedy, **FREE)


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"network": "resunet"}, "network resunet-tiny, not resunet (give --network resunet-tiny)"),
        ({"width": 3}, "filters 2 3 4 5 6, not 3 6 12 24 48 (give --filters 2 3 4 5 6)"),
        ({"dim": 7}, "dim 5, not 7 (give --dim 5)"),
        ({"dim": 7, "width": 2}, "filters 2 3 4 5 6, not 2 4 8 16 32 (give --filters 2 3 4 5 6); dim 5, not 7"),
    ],
)
def test_a_model_of_another_network(grey: Path, tmp_path: Path, settings: dict[str, Any], answer: str) -> None:
    with pytest.raises(UserError, match=re.escape(answer)) as refused:
        train("grey", out=tmp_path / "run", init=grey, **FREE | settings)
    one_line(refused)


def test_filters_where_the_model_has_its_networks_own(tmp_path: Path) -> None:
    model = stored(tmp_path / "model", NetworkConfig("resunet-tiny", 1, 4))
    with pytest.raises(UserError, match=r"filters its own, not 3 6 12 24 48 \(leave out --width and --filters\)"):
        train("grey", out=tmp_path / "run", init=model, width=3, **FREE)


def test_a_student_is_called_so(grey: Path, tmp_path: Path, runs: dict[str, Path]) -> None:
    settings = {"teacher": runs["train"], "student": "resunet", "width": 2, "dim": 4, "init": grey}
    with pytest.raises(UserError, match="give --student resunet-tiny"):
        distill("grey", out=tmp_path / "run", **FREE | settings)


def test_tuning_begins_with_the_weights(grey: Path, tmp_path: Path) -> None:
    tuned = train("grey", out=tmp_path / "run", init=grey, **FREE | {"rate": 1e-12})
    after, before = (model.runner.network.state_dict() for model in (tuned, segraft.load(grey)))  # type: ignore[attr-defined]
    weights = [name for name in before if name.endswith("weight")]
    assert weights
    assert all(torch.allclose(after[name], before[name], atol=1e-9) for name in weights)
