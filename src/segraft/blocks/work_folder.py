"""The folder of a run: what each block gave, one file each, written completely or not at all.

A file that is there is the record that this part is done, so that a run that was killed goes on behind it.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from segraft.errors import UserError
from segraft.files import make_folder, read_json, replacing, unwritable, write_text

MANY = 1000
"""Files per folder."""
LARGE = 2**16
"""Bytes from which on an array is compressed."""
LARGEST = 2**31 - 2**16
"""Bytes up to which Blosc compresses."""
PART = "."
"""Between the name of a stage and that of what it writes besides: the stage's own file is the record of both."""
SETTINGS = "settings.json"
LOCK = "lock"
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class WorkFolder:
    """Intermediate results of a run, by stage and number of the block."""

    path: Path

    def file(self, stage: str, number: int, suffix: str = ".npz") -> Path:
        """Where the result of a stage for one block lies."""
        return self.path / stage / f"{number // MANY:06d}" / f"{number:09d}{suffix}"

    def has(self, stage: str, number: int) -> bool:
        """Whether a stage is done with a block."""
        return self.file(stage, number).exists()

    def save(self, stage: str, number: int, /, **arrays: np.ndarray | int) -> None:
        """Write what a stage gives for a block; large arrays are compressed."""
        path = self.file(stage, number)
        with unwritable(path), replacing(path) as temporary, temporary.open("wb") as file:
            packed: dict[str, Any] = {key: _packed(np.asarray(array)) for key, array in arrays.items()}
            np.savez(file, **packed)

    def load(self, stage: str, number: int, *keys: str) -> Arrays:
        """Read what a stage gave for a block, all of it or some arrays."""
        path = self.file(stage, number)
        with self._damaged(stage, number), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {key: _unpacked(arrays[key]) for key in keys or arrays.files}

    def save_plain(self, stage: str, number: int, array: np.ndarray) -> None:
        """Write an array of which parts are read, see ``mapped``."""
        path = self.file(stage, number, ".npy")
        with unwritable(path), replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, array)

    def mapped(self, stage: str, number: int) -> np.ndarray:
        """An array that ``save_plain`` wrote; parts are read when they are used."""
        path = self.file(stage, number, ".npy")
        with self._damaged(stage, number, ".npy"):
            small = path.stat().st_size < LARGE  # one without entries cannot be mapped
            return np.load(path, mmap_mode=None if small else "r", allow_pickle=False)

    @contextmanager
    def _damaged(self, stage: str, number: int, suffix: str = ".npz") -> Iterator[None]:
        """Say which record to remove where a file is missing or damaged: that of the stage that wrote it."""
        try:
            yield
        except (OSError, EOFError, BadZipFile, zlib.error, ValueError, KeyError, RuntimeError) as error:
            path, record = self.file(stage, number, suffix), self.file(stage.partition(PART)[0], number)
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UserError(
                f"{path} cannot be read ({reason}), expected what a block gave before; remove {record} and run again: "
                "that block is done anew"
            ) from error

    def settings(self) -> dict[str, Any]:
        """What is recorded of the run; nothing where there is none."""
        path = self.path / SETTINGS
        return dict(read_json(path, "the settings of a run")) if path.exists() else {}

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Record the settings of the run, or compare them with those that were recorded.

        Raises ``UserError`` with what differs.
        """
        path, text = self.path / SETTINGS, json.dumps(settings, indent=1, sort_keys=True)
        make_folder(self.path)
        if not path.exists():
            write_text(path, text)
            return
        differing = differences(json.loads(text), read_json(path, "the settings of a run"))
        if differing:
            raise UserError(
                f"{self.path} holds a run with other settings: {differing}; expected the same to go on; give them, "
                "or remove that folder to begin anew"
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out, until the end or until this process dies; ``UserError`` where one is there.

        A run that ends before it has done anything leaves nothing.
        """
        from locket import LockError, lock_file

        make_folder(self.path)
        lock = lock_file(str(self.path / LOCK), timeout=0)
        try:
            with unwritable(self.path):
                lock.acquire()
        except LockError as error:
            raise UserError(
                f"{self.path} is in use: got two runs for one output, expected one; wait for the other, or choose "
                "another output"
            ) from error
        try:
            yield
        finally:
            if self.path.exists() and not any(each.is_dir() for each in self.path.iterdir()):
                shutil.rmtree(self.path, ignore_errors=True)
            lock.release()


def differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """What differs between two settings, in words; nothing where they are the same."""
    names = [name for name in {**now, **before} if now.get(name) != before.get(name)]
    return "; ".join(f"{name} is {now.get(name)}, was {before.get(name)}" for name in names)


def _packed(array: np.ndarray) -> np.ndarray:
    """A large array as compressed bytes that tell its type and shape; others, and the largest, as they are."""
    if not LARGE <= array.nbytes <= LARGEST:
        return array
    from numcodecs import Blosc

    head = json.dumps([np.lib.format.dtype_to_descr(array.dtype), array.shape]).encode()
    body = Blosc(cname="zstd", clevel=1).encode(np.ascontiguousarray(array))
    return np.frombuffer(MARK + len(head).to_bytes(4, "little") + head + body, np.uint8)


MARK = b"\x00segraft"
"""How compressed arrays begin."""


def _unpacked(array: np.ndarray) -> np.ndarray:
    """The inverse of ``_packed``."""
    if array.dtype != np.uint8 or array.ndim != 1 or array[: len(MARK)].tobytes() != MARK:
        return array
    from numcodecs import Blosc

    begin = len(MARK) + 4
    end = begin + int.from_bytes(array[len(MARK) : begin].tobytes(), "little")
    kind, shape = json.loads(array[begin:end].tobytes())
    dtype = np.dtype([tuple(field) for field in kind] if isinstance(kind, list) else kind)
    return np.frombuffer(Blosc().decode(array[end:].tobytes()), dtype).reshape(shape)
