"""Graft a heavy instance-segmentation network onto a tiny one.

The public names load where they live at first use: importing ``segraft`` does no work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from segraft import errors

if TYPE_CHECKING:
    from segraft.commands.benchmark import benchmark
    from segraft.commands.convert import convert
    from segraft.commands.demo import demo
    from segraft.commands.distill import distill
    from segraft.commands.download import download
    from segraft.commands.evaluate import evaluate
    from segraft.commands.export import export
    from segraft.commands.figure import figure
    from segraft.commands.info import info
    from segraft.commands.predict import predict
    from segraft.commands.proofread import proofread
    from segraft.commands.recipe import recipe
    from segraft.commands.report import report
    from segraft.commands.table import table
    from segraft.commands.train import train
    from segraft.commands.tune import tune
    from segraft.commands.web import web
    from segraft.data import DATASETS
    from segraft.errors import UserError
    from segraft.graphs.affinity import embedding_affinities, label_affinities
    from segraft.graphs.instances import instance_nodes
    from segraft.graphs.memory_bank import MemoryBank
    from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D, OFFSETS_3D_LONG
    from segraft.losses import DISTILLERS, GraphRelationLoss, weighted_sum
    from segraft.model.model import load
    from segraft.networks import NETWORKS, complexity, create_network
    from segraft.paper import RECIPES
    from segraft.segment import SEGMENTERS

__version__ = "0.1.0"
_HOMES = {
    "DATASETS": "data",
    "DISTILLERS": "losses",
    "GraphRelationLoss": "losses",
    "MemoryBank": "graphs.memory_bank",
    "NETWORKS": "networks",
    "OFFSETS_2D": "graphs.offsets",
    "OFFSETS_3D": "graphs.offsets",
    "OFFSETS_3D_LONG": "graphs.offsets",
    "RECIPES": "paper",
    "SEGMENTERS": "segment",
    "UserError": "errors",
    "benchmark": "commands.benchmark",
    "complexity": "networks",
    "convert": "commands.convert",
    "create_network": "networks",
    "demo": "commands.demo",
    "distill": "commands.distill",
    "download": "commands.download",
    "embedding_affinities": "graphs.affinity",
    "evaluate": "commands.evaluate",
    "export": "commands.export",
    "figure": "commands.figure",
    "info": "commands.info",
    "instance_nodes": "graphs.instances",
    "label_affinities": "graphs.affinity",
    "load": "model.model",
    "predict": "commands.predict",
    "proofread": "commands.proofread",
    "recipe": "commands.recipe",
    "report": "commands.report",
    "table": "commands.table",
    "train": "commands.train",
    "tune": "commands.tune",
    "web": "commands.web",
    "weighted_sum": "losses",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'segraft' has no attribute {name!r}")
    try:
        value = getattr(import_module(f"segraft.{_HOMES[name]}"), name)
    except ImportError as error:
        raise errors.not_installed(error) or error from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
