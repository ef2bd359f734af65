"""Trainings that may have been begun before."""

from __future__ import annotations

from dataclasses import replace

from segraft.errors import UserError
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings, plain
from segraft.training.run import run


def finish(settings: TrainSettings) -> None:
    """Train as the settings say, from wherever an earlier attempt in the same run folder got to.

    Raises ``UserError`` where that had other steps or another seed.
    """
    out = settings.out
    if not RunFolder(out).config.exists():
        run(settings)
        return
    before, now = RunFolder(out).settings(), plain(settings)
    changed = [name for name in ("steps", "seed") if before.get(name) != now[name]]
    if changed:
        raise UserError(
            f"{out} was begun with another {' and '.join(changed)}; resume with the same, or choose another"
        )
    folder = RunFolder(out)
    history = folder.history() if folder.metrics.exists() else []
    if not any("val" in line and line["step"] >= settings.steps for line in history):
        run(replace(settings, resume=True))
