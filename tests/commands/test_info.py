"""What a model is, in words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segraft.commands.info import info
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.models import a_config


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A model file of a small network."""
    path = tmp_path / "model.safetensors"
    config = a_config(
        {"name": "resunet-tiny", "in_channels": 2, "dim": 8, "filters": (2, 4)},
        segmentation={"minimum_size": 3},
        training={"dataset": "folder", "patch": [64, 64]},
    )
    torch.manual_seed(0)
    checkpoint.save(path, create_network("resunet-tiny", 2, 8, (2, 4)), config)
    return path


def test_describe(trained: Path) -> None:
    text = info(trained)
    assert "resunet-tiny" in text
    assert "patch (64, 64)" in text
    assert "minimum size 3" in text
    assert "voxel size" in text
    assert f"{sum(p.numel() for p in create_network('resunet-tiny', 2, 8, (2, 4)).parameters()):,}" in text
