"""Models and their configurations, made in one line."""

from __future__ import annotations

from typing import Any

from segraft.model.config import ModelConfig, NetworkConfig, Segmentation
from segraft.model.model import Model
from segraft.model.torch_runner import TorchRunner


def a_config(network: dict[str, Any] | None = None, ndim: int = 2, **fields: Any) -> ModelConfig:
    """A configuration: plain values, the segmentation's and network's as dictionaries; defaults for what is missing."""
    named = {"name": "resunet", **(network or {})}
    if named.get("filters") is not None:
        named["filters"] = tuple(named["filters"])
    if "segmentation" in fields:
        fields["segmentation"] = Segmentation(**fields["segmentation"])
    usual = ModelConfig.usual(NetworkConfig(**named), ndim)
    return ModelConfig(**{**vars(usual), **fields})


def a_model(network: Any, **fields: Any) -> Model:
    """A model around a network, with the configuration ``a_config``."""
    return Model(TorchRunner(network), a_config(ndim=network.geometry.ndim, **fields))
