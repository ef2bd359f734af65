"""Files written completely or not at all, and natural order of names."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

from segraft.errors import UserError


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Turn an ``OSError`` of writing ``path`` (full disk, read-only folder) into a ``UserError``."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be written ({reason}), expected a writable folder with free space; "
            "choose another or make room"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, which replaces ``path`` at the end and is deleted on any error.

    Its name is of no other writer's, on this machine or another that sees the folder. Missing parent folders are
    created. Raises ``OSError`` as the file system does; see ``unwritable``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def natural(path: str | Path) -> tuple[tuple[str | int, ...], str]:
    """Return a sorting key that puts ``cell2`` before ``cell10``; upper and lower case sort alike."""
    parts = re.split(r"(\d+)", str(path).lower())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), str(path)


def some(files: Sequence[str | Path]) -> str:
    """Return the first three files, and how many more, as text."""
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(str(path) for path in files[:3]) + more


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8), completely or not at all.

    Raises ``UserError`` for a full disk or a read-only folder.
    """
    with unwritable(Path(path)), replacing(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def digest(path: str | Path) -> str:
    """First twelve digits of the SHA-256 of a file."""
    return sha256(Path(path).read_bytes()).hexdigest()[:12]


def make_folder(path: str | Path) -> None:
    """Make a folder with those above it, unless it is there; ``UserError`` where that is impossible."""
    with unwritable(Path(path)):
        Path(path).mkdir(parents=True, exist_ok=True)


def read_json(path: Path, expected: str) -> Any:
    """Read a json file. Raises ``UserError``, with what was ``expected`` in it, where it is no json or missing."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read as json ({reason}), expected {expected}; if it is cut short, copy it again"
        ) from error
