"""Progress on the standard error: a bar on a terminal; in a log or a pipe a line every 30 seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console

EVERY = 30.0
"""Seconds between two lines."""
Item = TypeVar("Item")


def messages() -> Console:
    """The standard error, for what is said beside a progress bar; lines are never folded."""
    return Console(stderr=True, markup=False, highlight=False, emoji=False, soft_wrap=True)


def has_bars() -> bool:
    """Whether the standard error is a terminal, on which a bar can move."""
    return sys.stderr.isatty()


def say(text: str) -> None:
    """Print one line at once."""
    print(text, file=sys.stderr, flush=True)


class Pace:
    """When the next line is due, and how long a work of ``total`` parts, begun at ``begin``, will still take."""

    def __init__(self, total: int | None, begin: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self.begin, self._clock = total, begin, clock
        self._started = self._told = clock()

    def due(self) -> bool:
        """Whether 30 seconds have passed since the beginning or since the last line was due."""
        now = self._clock()
        if now - self._told < EVERY:
            return False
        self._told = now
        return True

    def rate(self, done: int) -> str:
        """How many parts were done per minute so far, in words."""
        minutes = max(self._clock() - self._started, 1e-9) / 60
        return f"{(done - self.begin) / minutes:.3g} per minute"

    def left(self, done: int) -> str:
        """``, 12 min left``, from how fast the parts were done so far; nothing where that cannot be told."""
        if self.total is None or done <= self.begin:
            return ""
        seconds = (self._clock() - self._started) * (self.total - done) / (done - self.begin)
        return f", {duration(seconds)} left"


def duration(seconds: float) -> str:
    """A time as people say it: ``40 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def track(items: Sequence[Item], what: str, console: Console) -> Iterator[Item]:
    """Yield the items and show how many are done; ``console`` is that of the messages beside the bar."""
    if has_bars():
        from rich.progress import track as bar

        yield from bar(items, what, console=console)
        return
    pace = Pace(len(items))
    for done, item in enumerate(items, start=1):
        yield item
        if pace.due():
            say(f"{what}: {done} of {len(items)}{pace.left(done)}")


@contextmanager
def receiving(what: str, total: int | None, begin: int, console: Console) -> Iterator[Callable[[int], None]]:
    """Yield a function to tell the number of bytes that came; ``begin`` of ``total`` bytes were there before."""
    if not has_bars():
        yield _told_in_lines(what, total, begin)
        return
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total, completed=begin)
        yield lambda count: progress.advance(task, count)


@contextmanager
def counted(what: str, total: int, begin: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call whenever one of ``total`` parts is done; ``begin`` of them were done before."""
    if has_bars():
        from rich.progress import MofNCompleteColumn, Progress

        with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=messages()) as progress:
            task = progress.add_task(what, total=total, completed=begin)
            yield lambda: progress.advance(task)
        return
    pace, done = Pace(total, begin), begin

    def tell() -> None:
        nonlocal done
        done += 1
        if pace.due():
            say(f"{what}: {done} of {total}, {pace.rate(done)}{pace.left(done)}")

    yield tell


def _told_in_lines(what: str, total: int | None, begin: int) -> Callable[[int], None]:
    """A function that counts bytes and says now and then how many there are."""
    pace, done = Pace(total, begin), begin
    of = "" if total is None else f" of {total / 1e6:.1f}"

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if pace.due():
            say(f"{what}: {done / 1e6:.1f}{of} MB{pace.left(done)}")

    return tell


@contextmanager
def counting() -> Iterator[Callable[[str], None]]:
    """Yield a function to tell how far a work has come that has no known end, in words."""
    if not has_bars():
        pace = Pace(None)
        yield lambda text: say(text) if pace.due() else None
        return
    with messages().status("") as status:
        yield status.update
