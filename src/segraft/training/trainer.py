"""Lightning's trainer for a run: its progress with the loss terms, without notices that help nobody."""

from __future__ import annotations

import logging
import math
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import lightning
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from segraft.errors import UserError
from segraft.metrics.scores import finds_nothing
from segraft.model.torch_runner import find_device
from segraft.settings import PRECISIONS, TrainSettings, required
from segraft.terminal.progress import Pace, has_bars, say
from segraft.training.callbacks import Recorder
from segraft.training.module import TrainingModule
from segraft.training.together import environment, machines

SHORT = {"affinity": "aff", "foreground": "fg", "intra_": "i.", "inter_": "x."}
"""Names of terms in the progress bar: i within images, x across images."""


def new_trainer(settings: TrainSettings, recorder: Recorder, watching: Sequence[Callback] = ()) -> lightning.Trainer:
    """A trainer on the device of the settings; ``UserError`` where there is none such.

    ``watching`` are called before the recorder.
    """
    kind, nodes = find_device(settings.device).type, machines(settings.devices)
    bars = has_bars() and sys.stdout.isatty()  # where Lightning's moves
    try:
        with quiet():
            return lightning.Trainer(
                max_steps=settings.steps,
                accelerator={"cuda": "gpu"}.get(kind, kind),
                devices=settings.devices // nodes,
                num_nodes=nodes,
                plugins=[environment()],
                precision=PRECISIONS[settings.precision],  # type: ignore[arg-type]
                callbacks=[Bar(recorder), *watching, recorder] if bars else [*watching, recorder, Lines(recorder)],
                enable_progress_bar=bars,
                gradient_clip_val=settings.clip,
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=settings.out,
            )
    except MisconfigurationException as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"got {settings.devices} devices of kind {kind} with {settings.precision}, which cannot be used "
            f"({reason}); choose others"
        ) from error


class Bar(TQDMProgressBar):
    """A bar over all steps with the unweighted loss terms, names shortened, and the last validation score."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(refresh_rate=5)
        self.recorder = recorder

    @property
    def total_train_batches(self) -> int:
        """Steps of the whole run."""
        return self.trainer.max_steps

    def get_metrics(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """What stands behind the bar."""
        assert isinstance(pl_module, TrainingModule)
        shown = {name: float(term) for name, term in pl_module.terms.items()}
        monitor = self.recorder.settings.monitor
        shown |= {name: score for name, score in self.recorder.scores.items() if name == monitor}
        short = {_short(name): f"{value:.2g}" for name, value in shown.items()}
        if finds_nothing(self.recorder.scores):
            return {**short, "found": "none"}
        return {**short}


class Lines(Callback):
    """Where no bar can move: a line every 30 seconds with the unweighted loss terms, and one for each validation.

    Called after the recorder, which validates.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin to count, where a resumed run was."""
        self.pace = Pace(trainer.max_steps, trainer.global_step)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object, **__: object
    ) -> None:
        """Say how far the training is, when that is due."""
        assert isinstance(pl_module, TrainingModule)
        if not trainer.is_global_zero:
            return
        step = f"step {trainer.global_step} of {trainer.max_steps}"
        if self.recorder.due(trainer.global_step):
            say(f"{step}: {self._validation()}")
        if self.pace.due():
            terms = "".join(f", {name} {float(term):.3g}" for name, term in pl_module.terms.items())
            say(f"{step}{terms}{self.pace.left(trainer.global_step)}")

    def _validation(self) -> str:
        """What the last validation came to."""
        monitor, best, scores = required(self.recorder.settings.monitor), self.recorder.best, self.recorder.scores
        known = "" if best == -math.inf else f", best {abs(best):.4f}"
        found = f", none of {scores['fn']:.0f} objects found" if finds_nothing(scores) else ""
        return f"validation {monitor} {scores[monitor]:.4f}{known}{found}"


def _short(name: str) -> str:
    for long, short in SHORT.items():
        name = name.replace(long, short)
    return name


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's notices about hardware and advice about loaders from the user."""
    loggers = [logging.getLogger(f"lightning.{part}") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
