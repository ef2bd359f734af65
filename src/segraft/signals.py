"""The signals that ask a program to end: Ctrl-C, and what clusters and closed terminals send."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))
"""Ctrl-C; kill and the end of a job's time; a closed terminal; Slurm's ``--signal``. Windows has the first two."""


def code_of(number: int) -> int:
    """Exit code of a program that a signal ended, as shells have it: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + number


def install(handler: Callable[[int], None]) -> dict[int, Any]:
    """Let a function, given the signal's number, answer the signals; return what answered them before.

    A signal that is ignored stays ignored, as ``nohup`` wants it. Does nothing outside the main thread, where Python
    has no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    before = {number: signal.getsignal(number) for number in ENDING}
    answered = {number: old for number, old in before.items() if old != signal.SIG_IGN}
    for number in answered:
        signal.signal(number, lambda received, _: handler(received))
    return answered


@contextmanager
def answered_by(handler: Callable[[int], None]) -> Iterator[None]:
    """Let a function answer the signals for a while; see `install`."""
    before = install(handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def ignore() -> None:
    """Leave the signals to the process that started this one, which then ends it in order."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)


class Terminated(KeyboardInterrupt):
    """A signal that asks the program to end arrived; what is half done is cleaned up on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


def terminate(number: int) -> None:
    """End what is being done by raising `Terminated`."""
    raise Terminated(number)
