"""Files that are no checkpoint, or one of something else: one line from every command that reads a model."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import safetensors.torch
import tifffile
import torch

from segraft.model import checkpoint
from shared.commands import Capture, Spoil, cut, files, refused, scene, train
from shared.models import a_config


def other_weights(path: Path) -> None:
    config = a_config({"name": "resunet-tiny", "dim": 4, "filters": (2, 4, 8)})
    checkpoint.save(path, torch.nn.Linear(2, 3), config)


def header_only(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**9) + b"{}")


CHECKPOINTS: dict[str, tuple[Spoil, str]] = {
    "missing": (lambda path: path.unlink(), "does not exist"),
    "folder without one": (lambda path: (path.unlink(), path.mkdir()), "holds no model.safetensors"),
    "cut short": (cut, "cut short"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as a model"),
    "text": (lambda path: path.write_text("weights: none\n" * 9), "cannot be read as a model"),
    "header of a wrong length": (header_only, "cannot be read as a model"),
    "pickle": (lambda path: torch.save({"weight": torch.zeros(3)}, path), "cannot be read as a model"),
    "another program's": (lambda path: safetensors.torch.save_file({"a": torch.zeros(3)}, path), "another program"),
    "other weights": (other_weights, "other weights"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_of_another_kind(case: str, model: Path, pairs: Path, tmp_path: Path, capfd: Capture) -> None:
    spoil, words = CHECKPOINTS[case]
    path, image = tmp_path / "bad.safetensors", tmp_path / "image.tif"
    path.write_bytes(model.read_bytes())
    spoil(path)
    tifffile.imwrite(image, scene()[0])
    data = train(pairs, tmp_path / "out")[1:]
    for tokens in (
        ("predict", path, image, "--out", tmp_path / "out"),
        ("info", path),
        ("distill", *("--student" if token == "--network" else token for token in data), "--teacher", path),
        ("train", *data, "--init", path),
    ):
        refused(capfd, words, *tokens)
        assert not files(tmp_path / "out")
