"""Ctrl-C during training: the step is finished, saved, and the user told how to go on."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segraft.training.callbacks import Recorder, Stopped


@contextmanager
def interruptible(recorder: Recorder) -> Iterator[None]:
    """The first Ctrl-C ends training after the current step, with a checkpoint; a second one ends it at once."""

    def interrupt(*_: Any) -> None:
        if recorder.interrupted:
            raise Stopped(f"stopped at once; go on from the last checkpoint with: {recorder.command()}")
        recorder.interrupted = True

    if threading.current_thread() is not threading.main_thread():  # where Python has no signals
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
