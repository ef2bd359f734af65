"""Train a student on labels and on a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segraft.model.model import Model
from segraft.settings import DistillSettings
from segraft.training.recorded import settings_of
from segraft.training.run import run


def distill(dataset: str | None = None, *, config: str | Path | None = None, **settings: Any) -> Model:
    """Train a student on labels and on a teacher's graphs (Eq. 8); see ``DistillSettings`` for all settings.

    As ``train``; ``teacher`` is a run folder or model file, ``student`` the network's name.
    """
    if "student" in settings:
        settings["network"] = settings.pop("student")
    return run(settings_of(DistillSettings, dataset, config, settings))
