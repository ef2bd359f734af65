"""Many tasks one after the other, of which a bad one does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from segraft.errors import UserError, out_of_memory
from segraft.images.reading import split_key
from segraft.terminal.progress import messages, track


@runtime_checkable
class Named(Protocol):
    """A task: ``source`` is what messages call it."""

    @property
    def source(self) -> str: ...


Task = TypeVar("Task", bound=Named)


def check_targets(targets: Iterable[tuple[str, Path]], inputs: Iterable[Path], doing: str) -> None:
    """Raise ``UserError`` where two results, or a result and an input, share a path.

    ``targets`` are what messages call each task, and the path of its result; ``doing`` is a word for the work.
    """
    read = {split_key(path)[0].resolve() for path in inputs}
    owners: dict[Path, str] = {}
    for source, path in targets:
        target = path.resolve()
        if target in read:
            raise UserError(f"the result of {source} would replace the input {target}; choose another folder")
        if target in owners:
            raise UserError(f"{owners[target]} and {source} would both give {target}; {doing} into two folders")
        owners[target] = source


def do_all(
    tasks: Sequence[Task],
    do: Callable[[Task], bool],
    doing: str,
    done: str,
    advice: str,
    remark: str = "",
    notes: Callable[[], Sequence[str]] = list,
) -> int:
    """Do all tasks behind a progress bar, report those that fail, and return the exit code: 0 all done, 1 some, 2 none.

    ``do`` returns False where nothing is left to do. ``doing`` and ``done`` are words for the bar and the last line,
    ``advice`` what to do where memory is too small. ``remark`` ends the line that counts; ``notes`` gives the last
    lines, where something was done.
    """
    console, begin = messages(), time.monotonic()
    finished = failed = 0
    for task in track(tasks, doing, console):
        try:
            finished += do(task)
        except (UserError, MemoryError, RuntimeError) as error:
            lacking = out_of_memory(error)
            if not (lacking or isinstance(error, UserError)):
                raise
            failed += 1
            reason = f"too little memory; {advice}" if lacking else str(error)
            console.print(reason if task.source in reason else f"{task.source}: {reason}")
    skipped = len(tasks) - finished - failed
    others = [f"{skipped} already there"] * (skipped > 0) + [f"{failed} failed"] * (failed > 0)
    others += [remark] * bool(remark)
    print(f"{finished} of {len(tasks)} {done}", *others, sep=", ")
    if finished:
        print(_speed(finished, time.monotonic() - begin))
        for line in notes():
            print(line)
    return 0 if not failed else 1 if failed < len(tasks) else 2


def _speed(count: int, seconds: float) -> str:
    """How many images were done in how many seconds, in words."""
    images = "1 image" if count == 1 else f"{count} images"
    return f"{images} in {seconds:.1f} s, {count / max(seconds, 1e-3):.3g} images/s"
