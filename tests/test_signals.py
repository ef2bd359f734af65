"""Signals that ask a program to end: answered for a while, left alone where they are ignored."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from segraft.signals import ENDING, Terminated, answered_by, code_of, install, terminate


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_answered_and_the_old_answer_comes_back(number: int) -> None:
    before, received = signal.getsignal(number), []
    with answered_by(received.append):
        os.kill(os.getpid(), number)
    assert received == [number]
    assert signal.getsignal(number) is before


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with answered_by(terminate):
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_have_no_signals() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(install(terminate)))
    thread.start()
    thread.join()
    assert found == [{}]


def test_termination_says_by_what() -> None:
    with pytest.raises(Terminated, match="stopped by SIGTERM") as caught, answered_by(terminate):
        os.kill(os.getpid(), signal.SIGTERM)
    assert code_of(caught.value.number) == 143
