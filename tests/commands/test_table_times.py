"""Times of Table I are measured once on a machine, and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from segraft.cli import main
from segraft.commands import table_times
from segraft.commands.table_times import NAME

Capture = pytest.CaptureFixture[str]
TOLD = ("table", "1", "--run", "--rows", "ResUNet-tiny", "MobileNet", "--device", "cpu")


def test_what_was_timed_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    timed: list[tuple[str, int]] = []

    def seconds(name: str, shape: tuple[int, ...], repeats: int, device: str) -> list[float]:
        timed.append((name, repeats))
        if len(timed) == 2:
            raise KeyboardInterrupt
        return [0.5, 0.7][:repeats]

    monkeypatch.setattr(table_times, "forward_seconds", seconds)
    told = [*TOLD, "--runs", str(tmp_path), "--repeats", "2"]
    assert main(told) == 130
    assert main(told) == 0
    assert timed == [("resunet-tiny", 2), ("mobilenet", 2), ("mobilenet", 2)], "interrupted, it went on"
    printed = capsys.readouterr().out
    assert "0.6 ± 0.14" in printed
    assert "ResUNet-tiny" in printed
    assert main([*told[:-1], "1"]) == 0
    assert len(timed) == 3, "two passes are more than one"
    assert main([*told[:-1], "3"]) == 0
    assert timed[3:] == [("resunet-tiny", 3), ("mobilenet", 3)]
    path = tmp_path / NAME
    kept = json.loads(path.read_text())
    kept[0]["hardware"]["name"] = "another machine"
    path.write_text(json.dumps(kept))
    capsys.readouterr()
    assert main(["table", "1", "--runs", str(tmp_path), "--rows", "ResUNet-tiny"]) == 0
    assert "another machine (cpu, threads: 1)" in capsys.readouterr().out
    assert main(told) == 0
    assert timed[5:] == [("resunet-tiny", 2)], "on this machine it was not timed"


@pytest.mark.parametrize("damage", ["{", "{}", '[{"network": 1}]', '[{"network": "a", "shape": [], "seconds": []}]'])
def test_damaged_times_are_told(damage: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / NAME).write_text(damage)
    assert main(["table", "1", "--runs", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert str(tmp_path / NAME) in error
    assert "delete table1-times.json and run it again" in error
    assert error.count("\n") == 1
    assert (tmp_path / NAME).read_text() == damage


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(table_times, "forward_seconds", lambda *_: [1.0])
    monkeypatch.setattr(Path, "write_text", full)
    assert main([*TOLD, "--runs", str(tmp_path)]) == 2
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
