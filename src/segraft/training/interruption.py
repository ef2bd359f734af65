"""Ctrl-C and its kin during training: the step is finished and saved, and the message says how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segraft.signals import answered_by
from segraft.training.callbacks import Recorder, Stopped


@contextmanager
def interruptible(recorder: Recorder) -> Iterator[None]:
    """The first signal ends training after the current step, with a checkpoint; a second one ends it at once."""
    with answered_by(recorder.interrupt):
        try:
            yield
        except RuntimeError as error:  # Lightning cannot clean up a training whose workers had not all started
            if isinstance(error.__context__, Stopped):
                raise error.__context__ from None
            raise
