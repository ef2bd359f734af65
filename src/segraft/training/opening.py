"""The run folder at the start: what may be begun in it, and what may be resumed."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import yaml
from lightning.pytorch.utilities import rank_zero_only

from segraft.coerce import make, plain
from segraft.errors import UserError
from segraft.files import write_text
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings
from segraft.training.recorded import complete

Settings = TypeVar("Settings", bound=TrainSettings)
FREE_TO_CHANGE = {"out", "resume", "device", "workers", "cache_folder", "tune"}
"""Settings that a resumed run may change: they decide where it runs and what follows, not what steps compute."""
DECIDED = ("monitor", "foreground_threshold", "percentiles", "intensity", "blanks")
"""Settings that a run decides where the user leaves them open; earlier versions had other defaults."""


def as_begun(settings: Settings) -> Settings:
    """The settings; of a run that is resumed, what is left open is as it was when the run began."""
    folder = RunFolder(settings.out)
    if not settings.resume or not folder.config.exists():
        return settings
    before = make(type(settings), folder.settings())
    return replace(settings, **{name: getattr(before, name) for name in DECIDED if getattr(settings, name) is None})


def checkpoint_to_resume(settings: TrainSettings) -> Path | None:
    """Return the checkpoint to go on from, None at the beginning; ``UserError`` for a folder that cannot be used."""
    folder = RunFolder(settings.out)
    if settings.resume:
        return _resumable(folder, settings)
    if folder.config.exists() and not rank():  # other ranks start when the first has made it
        raise UserError(f"{settings.out} holds a run already; --resume continues it, another --out starts a new one")
    return None


def rank() -> int:
    """The number of this process among those that train together; 0 is the one that speaks and writes."""
    return getattr(rank_zero_only, "rank", 0)


def _resumable(folder: RunFolder, settings: TrainSettings) -> Path | None:
    if not folder.config.exists():
        raise UserError(f"nothing to resume in {folder.path}: no {folder.config.name}; start without --resume")
    before, now = plain(complete(make(type(settings), folder.settings()))), plain(settings)
    changed = [name for name in now if name not in FREE_TO_CHANGE and before.get(name) != now[name]]
    if changed:
        raise UserError(f"{folder.path} was run with another {', '.join(changed)}; resume with the same settings")
    if not folder.last.exists():
        return None
    if not zipfile.is_zipfile(folder.last):
        raise UserError(f"{folder.last} is cut short; copy it again, or start again with another --out")
    return folder.last


@rank_zero_only
def record_settings(settings: TrainSettings) -> None:
    """Make the run folder with its ``config.yaml``."""
    text = yaml.safe_dump(plain(replace(settings, resume=False)), sort_keys=False)
    write_text(RunFolder(settings.out).config, text)
