"""A model that finds objects, and what it was exported to: made once per process, for exporting takes seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from segraft.deploy.onnx import exported
from segraft.model import checkpoint
from segraft.model.config import ModelConfig
from shared.models import a_config, lively


def config() -> ModelConfig:
    """Of that model."""
    described = {"name": "resunet", "dim": 4, "filters": (2, 4, 8)}
    made = a_config(described, segmentation={"minimum_size": 5}, training={"steps": 3, "dataset": "grey"})
    return replace(made, object_size=12.0)


@cache
def onnx_bytes() -> bytes:
    """The exported file."""
    return exported(lively(), config())


def write_pair(folder: Path, name: str = "model") -> Path:
    """Write ``name.safetensors`` and ``name.onnx``; return the folder."""
    checkpoint.save(folder / f"{name}.safetensors", lively(), config())
    (folder / f"{name}.onnx").write_bytes(onnx_bytes())
    return folder
