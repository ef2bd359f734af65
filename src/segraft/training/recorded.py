"""Settings of a run from what a user gives and what was recorded before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from segraft.coerce import make
from segraft.networks import NETWORKS, dimensions
from segraft.run_folder import read_config
from segraft.settings import BY_DIMENSION, TrainSettings
from segraft.training.tuning import taken_over

Settings = TypeVar("Settings", bound=TrainSettings)


def settings_of(
    kind: type[Settings], dataset: str | None, config: str | Path | None, values: dict[str, Any]
) -> Settings:
    """Settings of a kind from a data set's name, a recorded run to repeat, and values by name that change it.

    A run folder that is to be resumed is so where it is now, whatever it was called when it was begun.
    Raises ``UserError`` as ``make`` and ``read_config``.
    """
    values = values | ({"dataset": dataset} if dataset is not None else {})
    if config is None:
        return make(kind, values)
    if values.get("resume") and Path(config).is_dir():
        values = {"out": Path(config)} | values
    return make(kind, changed(read_config(Path(config)), values))


def changed(recorded: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Recorded settings with changes; what was recorded for another method, width or dimension goes."""
    rivals = {"filters": ("width",), "width": ("filters",), "latency": ("filters", "width")}
    rivals |= {"teacher": ("teacher_labels",), "teacher_labels": ("teacher",)}
    dropped = {other for name in values for other in rivals.get(name, ())}
    if values.get("method", recorded.get("method")) != recorded.get("method"):
        dropped.add("weights")
        if values.get("method") == "none":  # which learns nothing of images without labels
            dropped |= {"unlabelled"}
    before, now = recorded.get("network"), values.get("network")
    if before in NETWORKS and now in NETWORKS and dimensions(before) != dimensions(now):
        dropped |= {*BY_DIMENSION[2], "monitor"}
    kept = {name: value for name, value in recorded.items() if name not in dropped}
    both = {name: (kept.get(name), values.get(name)) for name in ("weights", "options")}
    merged = {name: {**a, **b} for name, (a, b) in both.items() if isinstance(a, dict) and isinstance(b, dict)}
    return kept | values | merged


def complete(settings: Settings) -> Settings:
    """The settings with what ``init`` was trained with, then the defaults of their network's number of dimensions."""
    return taken_over(settings).for_dimension(dimensions(settings.network))
