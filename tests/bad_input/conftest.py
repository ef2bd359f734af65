"""What commands on bad input get beside it: an untrained model and good pairs of images and labels."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from segraft.images.writing import write_image
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.commands import scene
from shared.models import a_config


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a tiny network that nobody trained."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    torch.manual_seed(0)
    network = create_network("resunet-tiny", dim=4, filters=(2, 4, 8))
    config = a_config({"name": "resunet-tiny", "dim": 4, "filters": (2, 4, 8)})
    checkpoint.save(path, network, config)
    return path


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``train/`` and ``val/`` of two good pairs each, to be left as it is."""
    root = tmp_path_factory.mktemp("pairs")
    for split in ("train", "val"):
        for number in range(2):
            image, labels = scene(number)
            write_image(root / split / "images" / f"{number}.tif", image)
            write_image(root / split / "masks" / f"{number}.tif", labels)
    return root


@pytest.fixture
def cells(pairs: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return shutil.copytree(pairs, tmp_path / "cells")
