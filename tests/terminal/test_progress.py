"""Progress where nothing can move: a line every 30 seconds, with the time that is left."""

from __future__ import annotations

import io
import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.terminal import progress
from segraft.terminal.progress import Pace, duration, has_bars, messages, receiving, track


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(st.lists(st.floats(0, 100), max_size=50))
def test_lines_are_30_seconds_apart(pauses: list[float]) -> None:
    now = 0.0
    pace = Pace(None, clock=lambda: now)
    told = [0.0]
    for pause in pauses:
        now += pause
        if pace.due():
            told.append(now)
        assert now - told[-1] < 30
    assert all(later - sooner >= 30 for sooner, later in pairwise(told))


@pytest.mark.parametrize(
    ("total", "begin", "done", "text"),
    [
        (100, 0, 0, ""),
        (None, 0, 5, ""),
        (100, 0, 50, ", 60 s left"),
        (100, 40, 50, ", 5 min left"),
        (1000, 0, 5, ", 3 h 19 min left"),
        (100, 0, 100, ", 0 s left"),
    ],
)
def test_the_time_that_is_left(total: int | None, begin: int, done: int, text: str) -> None:
    now = 0.0
    pace = Pace(total, begin, clock=lambda: now)
    now = 60.0
    assert pace.left(done) == text


def test_times_are_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.4, 89.0, 90.0, 3599.0, 3600.0)] == [
        "0 s",
        "89 s",
        "2 min",
        "1 h 0 min",
        "1 h 0 min",
    ]


def test_a_bar_needs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert has_bars()
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert not has_bars()


def test_items_are_counted_in_lines(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert list(track("abc", "reading", messages())) == list("abc")
    assert capsys.readouterr().err == ""  # within half a minute
    monkeypatch.setattr(progress, "EVERY", 0)
    assert list(track("abc", "reading", messages())) == list("abc")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["reading: 1 of 3, 0 s left", "reading: 2 of 3, 0 s left", "reading: 3 of 3, 0 s left"]


def test_on_a_terminal_a_bar_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    assert list(track("abc", "reading", messages())) == list("abc")
    with receiving("file", 10, 0, messages()) as received:
        received(10)
    assert "100%" in terminal.getvalue()
    assert "file" in terminal.getvalue()


def test_bytes_are_counted_in_lines(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(progress, "EVERY", 0)
    for total, line in ((4_000_000, "a.zip: 3.0 of 4.0 MB, 0 s left"), (None, "a.zip: 3.0 MB")):
        with receiving("a.zip", total, 1_000_000, messages()) as received:
            received(2_000_000)
        assert capsys.readouterr().err.splitlines() == [line]
