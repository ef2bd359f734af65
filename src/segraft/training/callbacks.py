"""What a run leaves behind while it trains: metrics, the best model, and a checkpoint to resume from."""

from __future__ import annotations

import json
import math
import shlex
import signal
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch.utils.tensorboard import SummaryWriter

from segraft import ranks
from segraft.errors import Notice, UserError
from segraft.files import replacing, unwritable, write_text
from segraft.metrics.scores import choosing, finds_nothing
from segraft.model.torch_runner import find_device
from segraft.run_folder import TUNED, RunFolder
from segraft.settings import DistillSettings, TrainSettings, required
from segraft.signals import code_of, install
from segraft.training.module import TrainingModule

LOG_EVERY = 10
"""Steps between two lines of loss terms."""


class Stopped(UserError):
    """A signal interrupted the training; it can be resumed. ``code`` is 128 and the signal's number."""

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.code = code_of(number)


def _rounded(scores: Mapping[str, float | int]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in scores.items()}


class Recorder(Callback):
    """Validates, and writes ``metrics.jsonl``, TensorBoard events, the best model and ``checkpoints/last.ckpt``.

    All at the end of a step, in an order that makes a stopped run go on as if it had never stopped: a checkpoint is
    written after the validation at its step, so that it knows the result. After ``interrupt`` the current step is
    finished and saved, and ``Stopped`` raised.

    Parameters
    ----------
    validate : segments the validation images with the network as it is, and returns their scores by name; every rank
        calls it, and gets the same
    keep_model : called when these are the best so far, by every rank
    """

    state_key = "Keeper"  # the name in the checkpoints of the first version

    def __init__(
        self,
        settings: TrainSettings,
        validate: Callable[[], Mapping[str, float | int]],
        keep_model: Callable[[], None],
    ) -> None:
        self.settings, self.validate, self.keep_model = settings, validate, keep_model
        self.folder = RunFolder(settings.out)
        self.scores: dict[str, float] = {}
        self.best = -math.inf
        self.waited = 0
        self.found = False
        self.interrupted = 0
        self.begun = False
        self.seconds = 0.0
        self._clock = time.monotonic()
        self._board: SummaryWriter | None = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on with."""
        known = {"best": self.best, "waited": self.waited, "found": self.found, "threads": torch.get_num_threads()}
        return {**known, "scores": self.scores, "seconds": self._elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run was, and say so where other threads will compute it."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]
        self.found = state_dict.get("found", True)  # earlier versions counted every validation
        self.scores, self.seconds = state_dict["scores"], state_dict["seconds"]
        begun, now = state_dict.get("threads"), torch.get_num_threads()
        if begun not in (None, now) and find_device(self.settings.device).type == "cpu":
            notice = f"resumed with {now} threads, begun with {begun}: sums round otherwise, so that the weights may "
            notice += f"differ from those of a run that never stopped; OMP_NUM_THREADS={begun} keeps them the same"
            warnings.warn(Notice(notice), stacklevel=2)

    def interrupt(self, number: int) -> None:
        """Answer a signal: stop after the current step; at once before the first one, and at the second signal."""
        if self.interrupted or not (self.begun or ranks.count() > 1):  # ranks stop together, after a step
            when = "at once; go on from the last checkpoint" if self.interrupted else "before the first step; go on"
            raise Stopped(f"stopped {when} with: {self.command()}", number)
        self.interrupted = number

    def stop_where_asked(self) -> None:
        """Raise ``Stopped`` where a signal came after the last step."""
        if self.interrupted:
            message = f"stopped after the last step, before the segmentation was tuned; go on with: {self.command()}"
            raise Stopped(message, self.interrupted)

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Answer signals in Lightning's place; forget what was logged after the checkpoint to resume from."""
        install(self.interrupt)
        self._clock = time.monotonic()
        trainer.should_stop = self._patience_lost()
        if not trainer.is_global_zero:
            return
        if not trainer.should_stop:  # else nothing follows, and what ended the run stays
            write_text(self.folder.metrics, "".join(self.folder.history_until(trainer.global_step)))
        with unwritable(self.folder.path):
            self._board = SummaryWriter(str(self.settings.out), purge_step=trainer.global_step + 1)

    def on_train_batch_start(self, *_: object) -> None:
        """Know that there is a step to finish; until then workers start, which may take long or go wrong."""
        self.begun = True

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object, **__: object
    ) -> None:
        """Log the terms; validate; keep a checkpoint; stop where the user asked to."""
        assert isinstance(pl_module, TrainingModule)
        step = trainer.global_step
        due = self.due(step)
        if step % LOG_EVERY == 0 or step == 1 or due:
            self._log_terms(trainer, pl_module)
        if due:
            ranks.copy_buffers(pl_module)
            self._validate(trainer)
        interrupted = trainer.strategy.reduce_boolean_decision(bool(self.interrupted), all=False)
        if due or interrupted:
            self._checkpoint(trainer)
        if interrupted:
            message = f"stopped and saved after step {step} of {trainer.max_steps}; go on with: {self.command()}"
            raise Stopped(message, self.interrupted or signal.SIGINT)

    def due(self, step: int) -> bool:
        """Whether a validation ends this step."""
        return step % self.settings.validate_every == 0 or step == self.settings.steps

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Complete the TensorBoard events."""
        with unwritable(self.folder.path):
            self._close()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Complete the TensorBoard events, unless it is they that cannot be written."""
        with suppress(OSError):
            self._close()

    def _close(self) -> None:
        board, self._board = self._board, None
        if board is not None:
            board.close()

    def command(self) -> str:
        """How to resume this run from the command line."""
        verb = "distill" if isinstance(self.settings, DistillSettings) else "train"
        return f"segraft {verb} --config {shlex.quote(str(self.settings.out))} --resume"

    def _log_terms(self, trainer: lightning.Trainer, module: TrainingModule) -> None:
        terms = ranks.averaged(module.terms)
        for name, value in terms.items():
            if not math.isfinite(value):
                raise UserError(
                    f"the loss term {name} is {value} at step {trainer.global_step}; expected a finite number; "
                    "train with a lower rate, or in float32"
                )
        self._write(trainer, terms, {f"train/{name}": value for name, value in terms.items()})

    def _validate(self, trainer: lightning.Trainer) -> None:
        """Score the validation images, and keep the model if it is the best so far: of equal ones the latest.

        Patience is not lost before a first object is found: finding nothing may be what a network learns first.
        """
        self.scores = _rounded(self.validate())
        monitor = required(self.settings.monitor)
        value = choosing(monitor).rank(self.scores[monitor])
        kept = value >= self.best or self.best == -math.inf  # a score may be undefined, but a model is always kept
        line = {"val": self.scores} | ({"kept": True} if kept else {})
        self._write(trainer, line, {f"val/{name}": value for name, value in self.scores.items()})
        self.found = self.found or not finds_nothing(self.scores)
        self.waited = 0 if value > self.best or not self.found else self.waited + 1
        if kept:
            self.best = value if math.isfinite(value) else -math.inf
            self.keep_model()
        trainer.should_stop = self._patience_lost()

    def _patience_lost(self) -> bool:
        return self.settings.patience is not None and self.waited >= self.settings.patience

    def _checkpoint(self, trainer: lightning.Trainer) -> None:
        last = self.folder.last
        with unwritable(last), replacing(last) if trainer.is_global_zero else nullcontext(last) as fresh:
            trainer.save_checkpoint(fresh)

    def _write(self, trainer: lightning.Trainer, values: dict[str, Any], curves: dict[str, float]) -> None:
        """Write values as a line of ``metrics.jsonl``, and numbers by name as TensorBoard curves."""
        if self._board is None:
            return
        with unwritable(self.folder.path):
            with self.folder.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self._line(trainer.global_step, values)) + "\n")
            for name, value in curves.items():
                self._board.add_scalar(name, value, trainer.global_step)

    def record_tuned(self, step: int, scores: Mapping[str, float] | None = None) -> None:
        """Write that the segmentation of the model kept at a step was searched; its scores where it got better."""
        better = {} if scores is None else {"val": _rounded(scores), "kept": True}
        self.folder.finish_history(self._line(step, {TUNED: True, **better}))

    def _line(self, step: int, values: Mapping[str, Any]) -> dict[str, Any]:
        return {"step": step, "seconds": round(self._elapsed(), 3), **values}

    def _elapsed(self) -> float:
        return self.seconds + time.monotonic() - self._clock
