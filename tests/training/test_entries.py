"""Entries on disk: whole, checked, and never taken for what they are not."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from segraft.errors import UserError
from segraft.training.entries import ABANDONED, Entries

TENSORS = {"a": torch.arange(12.0).reshape(3, 4), "b": torch.arange(5, dtype=torch.float16), "c": torch.ones(1).int()}


@pytest.fixture
def entries(tmp_path: Path) -> Entries:
    """One that is there."""
    entries = Entries(tmp_path / "deep" / "folder", ("b", "a"))
    entries.write(7, TENSORS)
    return entries


def test_what_is_read_is_what_was_written(entries: Entries) -> None:
    b, a = entries.read(7)
    assert torch.equal(a, TENSORS["a"])
    assert torch.equal(b, TENSORS["b"])
    assert (a.dtype, b.dtype) == (torch.float32, torch.float16)
    assert entries.sound(7)
    assert [path.name for path in entries.folder.iterdir()] == ["000007.safetensors"]


def test_turned_tensors_are_written_as_they_are_seen(entries: Entries) -> None:
    entries.write(1, {"a": TENSORS["a"].mT, "b": TENSORS["b"].flip(0)})
    assert torch.equal(entries.read(1)[1], TENSORS["a"].mT)
    assert entries.sound(1)


@pytest.mark.parametrize("place", [0, 3, 20, 90, -1])
def test_a_changed_byte_is_found(entries: Entries, place: int) -> None:
    data = bytearray(entries.path(7).read_bytes())
    data[place] ^= 0x5A
    entries.path(7).write_bytes(data)
    assert not entries.sound(7)


@pytest.mark.parametrize("length", [0, 5, 60, -1])
def test_a_file_that_is_cut_short_is_found(entries: Entries, length: int) -> None:
    entries.path(7).write_bytes(entries.path(7).read_bytes()[:length])
    assert not entries.sound(7)
    with pytest.raises(UserError, match=r"000007.safetensors cannot be read \(.*\), expected a part of the cache"):
        entries.read(7)


def test_a_file_of_other_tensors_is_found(entries: Entries) -> None:
    assert not Entries(entries.folder, ("a", "b", "c")).sound(7)
    assert not entries.sound(8)


def test_a_full_disk_leaves_nothing_and_what_was_there(entries: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> Any:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"000008.safetensors cannot be written \(No space left on device\)"):
        entries.write(8, TENSORS)
    assert [path.name for path in entries.folder.iterdir()] == ["000007.safetensors"]
    assert entries.sound(7)


def test_unfinished_files_are_swept_when_nobody_can_be_writing_them(entries: Entries) -> None:
    old, new = (entries.folder / f".00000{n}.safetensors.99.part" for n in (1, 2))
    for path, age in ((old, ABANDONED + 60), (new, ABANDONED - 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    entries.sweep()
    assert {path.name for path in entries.folder.iterdir()} == {new.name, "000007.safetensors"}
    Entries(entries.folder / "nowhere", ()).sweep()
