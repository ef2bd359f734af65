"""What blocks give is kept, and what is damaged is told, with the record to remove."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

from segraft.blocks import work_folder
from segraft.blocks.pieces import CROSSING, NETWORK
from segraft.blocks.work_folder import WorkFolder
from segraft.errors import UserError
from segraft.files import replacing


@pytest.fixture
def folder(tmp_path):
    return WorkFolder(tmp_path)


def test_arrays_of_all_kinds_are_kept(folder, monkeypatch):
    kept = {
        "large": np.arange(50_000, dtype=np.int64),
        "huge": np.arange(200_000, dtype=np.uint64),  # larger than what is compressed
        "none": np.zeros((0, 3), np.float32),
        "one": np.array(7),
    }
    monkeypatch.setattr(work_folder, "LARGEST", 1_000_000)
    folder.save("stage", 3, **kept)
    found = folder.load("stage", 3)
    assert found.keys() == kept.keys()
    for name, array in kept.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("damage", ["empty", "half", "flipped", "missing"])
def test_what_is_damaged_is_done_anew(folder, damage):
    folder.save(CROSSING, 4, values=np.random.default_rng(0).normal(size=50_000))
    folder.save_plain(CROSSING, 4, np.arange(9))
    for path in (folder.file(CROSSING, 4), folder.file(CROSSING, 4, ".npy")):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 255
        path.write_bytes({"empty": b"", "half": data[: len(data) // 2], "flipped": data, "missing": b""}[damage])
        if damage == "missing":
            path.unlink()
    record = folder.file(NETWORK, 4)
    words = rf"4\.np. cannot be read .*; remove {re.escape(str(record))} and run again"
    with pytest.raises(UserError, match=words) as told:
        folder.load(CROSSING, 4)
    assert "\n" not in str(told.value)
    if damage != "flipped":  # a mapped array has no checksum
        with pytest.raises(UserError, match=words):
            folder.mapped(CROSSING, 4)


def test_writers_of_one_file_do_not_share_what_they_write(tmp_path):
    """As on two machines, where processes may have the same number."""
    path, both, names = tmp_path / "a.npz", threading.Barrier(2), []

    def write(text):
        with replacing(path) as temporary:
            names.append(temporary.name)
            temporary.write_text(text)
            both.wait(10)

    threads = [threading.Thread(target=write, args=(letter * 10,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 2
    assert path.read_text() in ("a" * 10, "b" * 10)
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]
