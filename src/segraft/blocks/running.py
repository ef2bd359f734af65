"""Stages of a run on workers of Dask: each block once, tried again where a worker dies, and timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

from segraft.blocks.job import Job
from segraft.blocks.stages import Task
from segraft.errors import UserError
from segraft.images.windows import in_words
from segraft.model.hardware import resident_peak
from segraft.terminal.progress import counted, duration, say

AHEAD = 3
"""Tasks per thread that are handed out at a time: the driver does not hold one for each block."""


class Done(NamedTuple):
    """What a task tells of itself."""

    retried: bool
    peak: int
    """Highest resident memory of its process so far, in bytes."""


@dataclass
class Stage:
    """What a stage took."""

    words: str
    blocks: int = 0
    """Done now, not before."""
    seconds: float = 0.0
    retries: int = 0
    peak: int = 0


@dataclass
class Distributed:
    """Does stages on the workers of a client; see `segraft.blocks.stages.Run`."""

    job: Job
    client: Any
    took: list[Stage] = field(default_factory=list)

    def __call__(self, stage: str, words: str, task: Task, numbers: Sequence[int]) -> None:
        """Do a stage for the blocks that are not done.

        Raises ``UserError`` as the task does, and where workers die time and again.
        """
        begun, told = time.perf_counter(), Stage(words)
        pending = [number for number in numbers if not self.job.folder.has(stage, number)]
        self.took.append(told)
        with counted(words, len(numbers), len(numbers) - len(pending)) as tell:
            for done in self._each(stage, task, pending):
                told.blocks += 1
                told.retries += done.retried
                told.peak = max(told.peak, done.peak)
                tell()
        told.seconds = time.perf_counter() - begun

    def _each(self, stage: str, task: Task, pending: Sequence[int]) -> Iterator[Done]:
        """Hand out some tasks at a time and yield what they tell as they end."""
        from distributed import as_completed

        threads = sum(self.client.nthreads().values()) or 1
        rest = iter(pending)
        running = as_completed([self._submit(stage, task, number) for number in islice(rest, AHEAD * threads)])
        try:
            for future in running:
                yield self._result(future)
                for number in islice(rest, 1):
                    running.add(self._submit(stage, task, number))
        except BaseException:
            self.client.cancel(list(running.futures))
            raise

    def _submit(self, stage: str, task: Task, number: int) -> Any:
        key = f"{stage}-{number}-{id(self):x}"
        return self.client.submit(do, self.job, stage, task, number, key=key, pure=False)

    def _result(self, future: Any) -> Done:
        """What a task told; ``UserError`` where it could not be done."""
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            return future.result()
        except KilledWorker as error:
            raise UserError(
                f"blocks: got workers that died time and again ({self._place(future)}), out of memory most likely, "
                "expected them to end; give smaller --blocks or more --max-memory, and run again: it goes on"
            ) from error
        except (CancelledError, CommClosedError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise UserError(f"blocks: {error.strerror or error} in a worker; make room, and run again") from error
            raise UserError("blocks: lost the scheduler, expected it to stay; start it and run again") from error

    def _place(self, future: Any) -> str:
        number = int(future.key.rsplit("-", 2)[1])
        return in_words(self.job.grid.box(number)) if number < len(self.job.grid) else f"block {number}"

    def summary(self) -> list[str]:
        """One line for each stage that had anything to do."""
        return [
            f"{each.words}: {each.blocks} blocks in {duration(each.seconds)}"
            f"{f', {each.retries} tried again' if each.retries else ''}, at most {each.peak / 1e9:.2f} GB a worker"
            for each in self.took
            if each.blocks
        ]

    def tell(self) -> None:
        """Say the summary."""
        for line in self.summary():
            say(line)


def do(job: Job, stage: str, task: Task, number: int) -> Done:
    """Do a task in a worker, unless it was done by one that died before it could tell."""
    mark = job.folder.file(stage, number, ".begun")
    retried = mark.exists()
    if not job.folder.has(stage, number):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        task(job, number)
        mark.unlink(missing_ok=True)
    return Done(retried, resident_peak() or 0)
