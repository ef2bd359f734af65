"""What takes seconds to make is made once for all processes of a test run."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path

from filelock import FileLock

FOLDER = "SEGRAFT_TESTS_MADE"
"""Environment variable: the folder that all processes of a run share."""


def begin() -> None:
    """Make the folder; the processes that are started later find it."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="segraft-tests-")


def end() -> None:
    """Remove the folder."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)


def once(make: Callable[[], bytes]) -> Callable[[], bytes]:
    """Let the first process that asks make the bytes, and the others wait for them and read them."""

    @cache
    @wraps(make)
    def made() -> bytes:
        file = Path(os.environ[FOLDER]) / make.__name__
        with FileLock(f"{file}.lock"):
            if not file.exists():
                file.write_bytes(make())
            return file.read_bytes()

    return made
