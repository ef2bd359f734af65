"""Train a teacher, or a student without one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segraft.model.model import Model
from segraft.settings import TrainSettings
from segraft.training.recorded import settings_of
from segraft.training.run import run


def train(dataset: str | None = None, *, config: str | Path | None = None, **settings: Any) -> Model:
    """Train a network on labelled images and return the best model; see ``TrainSettings`` for all settings.

    ``config`` repeats a recorded run (its folder or ``config.yaml``); other settings given override it.
    Raises ``UserError`` for settings that cannot work and ``Stopped`` after Ctrl-C.
    """
    return run(settings_of(TrainSettings, dataset, config, settings))
