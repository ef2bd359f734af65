"""Trainings that may have been begun before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from segraft.coerce import plain
from segraft.errors import UserError
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback


def finish(settings: TrainSettings, watching: Sequence[Callback] = ()) -> None:
    """Train as the settings say, from wherever an earlier attempt in the same run folder got to.

    ``watching`` look on; see `segraft.training.run.run`.
    Raises ``UserError`` where that had other steps or another seed.
    """
    if (left := left_to_do(settings)) is not None:
        from segraft.training.run import run  # PyTorch, which reading results does without

        run(left, watching)


def left_to_do(settings: TrainSettings) -> TrainSettings | None:
    """The settings with which a training is to be begun, or resumed; None where it is done.

    Raises ``UserError`` where an earlier attempt in the same run folder had other steps or another seed.
    """
    folder = RunFolder(settings.out)
    if not folder.config.exists():
        return settings
    before, now = folder.settings(), plain(settings)
    changed = [name for name in ("steps", "seed") if before.get(name) != now[name]]
    if changed:
        raise UserError(
            f"{folder.path} was begun with another {' and '.join(changed)}; resume with the same, or choose another"
        )
    history = folder.history() if folder.metrics.exists() else []
    trained = any("val" in line and line["step"] >= settings.steps for line in history)
    if trained and (folder.tuned() or not settings.tune):
        return None
    return replace(settings, resume=True)
