"""Graft a heavy instance-segmentation network onto a tiny one.

The public names load where they live at first use: importing ``segraft`` does no work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segraft.affinity import (
        OFFSETS_2D,
        OFFSETS_3D,
        OFFSETS_3D_LONG,
        embedding_affinities,
        label_affinities,
    )
    from segraft.data import DATASETS
    from segraft.errors import UserError
    from segraft.inference import load
    from segraft.instances import instance_nodes
    from segraft.losses import DISTILLERS, GraphRelationLoss, weighted_sum
    from segraft.memory import MemoryBank
    from segraft.metrics import evaluate
    from segraft.networks import NETWORKS, complexity, create_network
    from segraft.recipes import RECIPES
    from segraft.segment import SEGMENTERS
    from segraft.training import distill, train

__version__ = "0.1.0"

_HOMES = {
    "DATASETS": "data",
    "DISTILLERS": "losses",
    "GraphRelationLoss": "losses",
    "MemoryBank": "memory",
    "NETWORKS": "networks",
    "OFFSETS_2D": "affinity",
    "OFFSETS_3D": "affinity",
    "OFFSETS_3D_LONG": "affinity",
    "RECIPES": "recipes",
    "SEGMENTERS": "segment",
    "UserError": "errors",
    "complexity": "networks",
    "create_network": "networks",
    "distill": "training",
    "embedding_affinities": "affinity",
    "evaluate": "metrics",
    "instance_nodes": "instances",
    "label_affinities": "affinity",
    "load": "inference",
    "train": "training",
    "weighted_sum": "losses",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'segraft' has no attribute {name!r}")
    value = getattr(import_module(f"segraft.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
