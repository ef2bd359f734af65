"""Models and their configurations, made in one line."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import torch

from segraft.model.config import ModelConfig, NetworkConfig, Segmentation
from segraft.model.model import Model
from segraft.model.torch_runner import TorchRunner
from segraft.networks import create_network
from segraft.networks.contract import Network


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


@cache
def trained(in_channels: int) -> Network:
    """A network with random weights whose embedding and foreground vary from pixel to pixel, so that objects arise."""
    torch.manual_seed(3)
    network = create_network("resunet", in_channels=in_channels, dim=4, filters=(2, 4, 8))
    with torch.no_grad():
        network.train()
        for _ in range(30):  # running statistics as after a training
            output = network(torch.rand(2, in_channels, 64, 64))
        network.eval()
        network.embedding.bias -= output.embedding.mean((0, 2, 3))
        network.foreground[-1].bias -= output.foreground.mean()
    return network


def lively(in_channels: int = 1) -> Network:
    """A copy of such a network."""
    return copy.deepcopy(trained(in_channels))
