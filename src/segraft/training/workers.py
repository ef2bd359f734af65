"""Processes that prepare patches, and scripts: where processes are not forked, each of them imports the main script.

A script that trains outside of ``if __name__ == "__main__":`` would train again in each of them, and the process that
starts them would wait for ever.
"""

from __future__ import annotations

import ast
import multiprocessing
import sys
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from segraft.errors import Notice, UserError

GUARD = 'if __name__ == "__main__":'
PATIENCE = 120.0
"""Seconds after which a process that imports the main script is given up."""


def refuse_import() -> None:
    """End a process that came to a training while it imported the main script, with one line that says how to avoid it.

    Not by an exception: a script that catches those and goes on would do so in every process.
    """
    if _outermost("__mp_main__") is not None:
        script = getattr(sys.modules.get("__mp_main__"), "__file__", None) or "the script"
        sys.exit(f"segraft: {script} trains while another process imports it; put the training below '{GUARD}'")


@contextmanager
def in_their_words() -> Iterator[None]:
    """Raise a ``UserError`` of a worker as it was: PyTorch hands on one that holds the worker's whole traceback."""
    try:
        yield
    except UserError as error:
        lines = str(error).splitlines() or [""]
        if type(error) is not UserError or "in DataLoader worker process" not in lines[0]:
            raise
        raise UserError(lines[-1].partition("UserError: ")[2]) from error


def usable(workers: int) -> int:
    """The number of workers, or 0 with a ``Notice`` where they cannot import the main script without harm."""
    if not workers or multiprocessing.get_start_method() == "fork":
        return workers
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    name = getattr(getattr(main, "__spec__", None), "name", "")
    if script is None or name.rpartition(".")[2] == "__main__":  # a notebook, python -c, python -m: none imports it
        return workers
    problem = _problem(Path(script))
    if problem is None:
        return workers
    notice = f"{problem}; patches are prepared in the training process, which is slower"
    warnings.warn(Notice(notice), stacklevel=4)  # at the line of the script that called train or distill
    return 0


def _problem(script: Path) -> str | None:
    """Why processes cannot import the main script, in words; None where they can."""
    if not script.is_file():
        return f"workers cannot import {script}, which is no file"
    frame = _outermost("__main__")
    if frame is not None and not _guarded(script, frame.f_lineno):
        return f"workers would run {script} again, for it trains outside of '{GUARD}'"
    failure = _failure()
    return failure and f"workers cannot import {script} ({failure}): put what it does below '{GUARD}'"


def _outermost(name: str) -> FrameType | None:
    """The frame of a module of this name whose statement at the top level led here; None where there is none."""
    frame: FrameType | None = sys._getframe()
    found = None
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == name:
            found = frame
        frame = frame.f_back
    return found


def _guarded(script: Path, line: int) -> bool:
    """Whether a line of a script lies in a statement ``if`` at its top level that asks for ``__name__``."""
    with tokenize.open(script) as file:
        statements = ast.parse(file.read()).body
    return any(
        isinstance(part, ast.Name) and part.id == "__name__"
        for statement in statements
        if isinstance(statement, ast.If) and statement.lineno <= line <= (statement.end_lineno or line)
        for part in ast.walk(statement.test)
    )


def _failure() -> str | None:
    """Why a process that does nothing but import the main script does not end well; None where it does.

    Workers are sent more than a pipe holds: had one of them died before it read that, this process would never end.
    """
    process = multiprocessing.get_context().Process(target=int, name="import of the main script", daemon=True)
    try:
        process.start()
    except (OSError, EOFError) as error:  # what forks the others imports it first, and has died
        return type(error).__name__
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()
        return f"not done after {PATIENCE:.0f} s"
    return f"exit code {process.exitcode}" if process.exitcode else None
