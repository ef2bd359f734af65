"""Files written whole or not at all, and names in the order that people expect."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segraft.errors import UserError


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of writing ``path`` (full disk, read-only folder) into a ``UserError``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be written ({reason}); wanted a writable folder with "
            "free space; choose another or make room"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that replaces it at the end, or vanishes on any error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def natural(path: str | Path) -> tuple[tuple[str | int, ...], str]:
    """Sorting key that puts ``cell2`` before ``cell10``."""
    parts = re.split(r"(\d+)", str(path).lower())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), str(path)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8), complete or not at all; ``UserError`` for a full disk or a read-only folder."""
    with unwritable(Path(path)), replacing(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")
