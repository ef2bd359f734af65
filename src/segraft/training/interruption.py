"""Ctrl-C and its kin during training: the step is finished and saved, and the message says how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segraft.signals import answered_by
from segraft.training.callbacks import Recorder


@contextmanager
def interruptible(recorder: Recorder) -> Iterator[None]:
    """The first signal ends training after the current step, with a checkpoint; a second one ends it at once."""
    with answered_by(recorder.interrupt):
        yield
