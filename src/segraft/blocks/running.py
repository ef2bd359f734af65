"""Stages of a run on workers of Dask: each block once, tried again where a worker dies, and timed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, SimpleQueue
from socket import gethostname
from typing import Any, NamedTuple
from uuid import uuid4

from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job
from segraft.blocks.stages import Task
from segraft.blocks.work_folder import SETTINGS
from segraft.errors import UserError
from segraft.images.windows import in_words
from segraft.model.hardware import resident_peak
from segraft.terminal.progress import counted, duration, say

MEMORY = "give more --max-memory and run again, or smaller --blocks and another output"
"""What to do where memory is short: blocks stay as they are in a run that goes on."""
LOOK = 10.0
"""Seconds without any result until it is looked whether there are workers."""
AHEAD = 3
"""Tasks per thread that are handed out at a time: the driver does not hold one for each block."""


class Done(NamedTuple):
    """What a task tells of itself."""

    retried: bool
    peak: int
    """Highest resident memory of its process so far, in bytes."""
    cpu: float
    """Seconds of a core that its process spent meanwhile."""


@dataclass
class Stage:
    """What a stage took."""

    words: str
    blocks: int = 0
    """Done now, not before."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of a core in all workers, which other programs disturb little."""
    retries: int = 0
    peak: int = 0


@dataclass
class Distributed:
    """Does stages on the workers of a client; see `segraft.blocks.stages.Run`."""

    job: Job
    client: Any
    patience: float = 60.0
    """Seconds to wait for workers while there are none."""
    took: list[Stage] = field(default_factory=list)
    grid: Grid | None = None
    """Whose blocks are being done; None for those of the image as it is segmented."""
    begun: float = 0.0
    """When the stage began, in seconds since 1970."""
    name: str = field(default_factory=lambda: uuid4().hex)
    """Of the run, for tasks of two runs on one scheduler must not be taken for one."""

    def __call__(self, stage: str, words: str, task: Task, numbers: Sequence[int], grid: Grid | None = None) -> None:
        """Do a stage for the blocks that are not done.

        Raises ``UserError`` as the task does, and where workers die time and again.
        """
        self.begun, begun, told = time.time(), time.perf_counter(), Stage(words)
        pending = [number for number in numbers if not self.job.folder.has(stage, number)]
        self.took.append(told)
        self.grid = grid
        with counted(words, len(numbers), len(numbers) - len(pending)) as tell:
            for done in self._each(stage, task, pending):
                told.blocks += 1
                told.retries += done.retried
                told.peak = max(told.peak, done.peak)
                told.cpu += done.cpu
                tell()
        told.seconds = time.perf_counter() - begun

    def _each(self, stage: str, task: Task, pending: Sequence[int]) -> Iterator[Done]:
        """Hand out some tasks at a time and yield what they tell as they end."""
        ended: SimpleQueue = SimpleQueue()
        running: dict[Any, int] = {}

        def hand_out(count: int) -> None:
            for number in islice(rest, count):
                future = self._submit(stage, task, number)
                running[future] = number
                future.add_done_callback(ended.put)

        rest = iter(pending)
        try:
            hand_out(self._wanted())
            while running:
                future = self._next(ended)
                if future is not None:
                    yield self._result(future, running.pop(future))
                hand_out(max(0, self._wanted() - len(running)))  # workers come and go
        except BaseException:
            with suppress(Exception):  # the scheduler may be gone
                self.client.cancel(list(running), force=True)
            raise

    def _wanted(self) -> int:
        """How many tasks are to be handed out at a time: some per thread that there is now."""
        try:
            return AHEAD * max(1, sum(self.client.nthreads().values()))
        except (OSError, TimeoutError):
            return 1  # the scheduler is gone, which the next result tells

    def _submit(self, stage: str, task: Task, number: int) -> Any:
        key = f"{stage}-{number}-{self.name}"
        return self.client.submit(do, self.job, stage, task, number, key=key, pure=False)

    def _next(self, ended: SimpleQueue) -> Any:
        """The next task that ended, or None after a while; ``UserError`` where all workers are gone and none comes."""
        missing = None
        while True:
            try:
                return ended.get(timeout=LOOK)
            except Empty:
                if self._staffed():
                    return None
            now = time.monotonic()
            missing = missing or now
            if now - missing >= self.patience:
                raise UserError(
                    "blocks: all workers are gone, expected one at least; start some, or give more --max-memory, and "
                    "run again: it goes on"
                )

    def _staffed(self) -> bool:
        """Whether there are workers."""
        try:
            return bool(self.client.nthreads())
        except (OSError, TimeoutError):
            return False

    def _result(self, future: Any, number: int) -> Done:
        """What a task told; ``UserError`` where it could not be done."""
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            return future.result()
        except KilledWorker as error:
            raise self._killed(number) from error
        except MemoryError as error:
            raise UserError(f"blocks: got no memory for {self._place(number)}, expected more; {MEMORY}") from error
        except (CancelledError, CommClosedError) as error:
            raise UserError(
                "blocks: lost the scheduler, expected it to stay; start it and run again: it goes on"
            ) from error
        except OSError as error:
            reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"blocks: {self._place(number)} failed ({reason}), expected free space and files that stay; make "
                "room, or look at that, and run again: it goes on"
            ) from error

    def _killed(self, number: int) -> UserError:
        """What to say of a block whose workers died time and again."""
        told = [(at, event) for at, event in self.client.get_events("worker-restart-memory") if at >= self.begun]
        if not told:
            return UserError(
                f"blocks: got workers that died time and again at {self._place(number)}, expected them to live; see "
                f"what ends them (the system, out of memory; a crash), and run again: it goes on; {MEMORY}"
            )
        most = max(event["rss"] for _, event in told)
        return UserError(
            f"blocks: got workers that took {most / 1e9:.2f} GB at {self._place(number)}, more than they were given, "
            f"and were ended each time; expected less; {MEMORY}"
        )

    def _place(self, number: int) -> str:
        """Where a block lies, and in what, if that is not the image itself."""
        if self.grid is None:
            return in_words(self.job.grid.box(number)) + (" of the resized image" if self.job.resized else "")
        place = in_words(self.grid.box(number))
        return place if self.grid == self.job.image_grid else f"{place} of {self.took[-1].words}"

    def summary(self) -> list[str]:
        """One line for each stage that had anything to do."""
        return [
            f"{each.words}: {each.blocks} blocks in {duration(each.seconds)} ({duration(each.cpu)} of a core)"
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
    if not (job.folder.path / SETTINGS).exists():
        raise UserError(
            f"{job.folder.path} is not there on {gethostname()}, expected a folder that all workers see; write to a "
            "disk that they share, by the same path"
        )
    mark, begun = job.folder.file(stage, number, ".begun"), time.process_time()
    retried = mark.exists()
    if not job.folder.has(stage, number):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        task(job, number)
        mark.unlink(missing_ok=True)
    return Done(retried, resident_peak() or 0, time.process_time() - begun)
