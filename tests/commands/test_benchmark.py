"""What is printed of costs: rows, ratios and notes."""

from __future__ import annotations

from typing import Any

import pytest

from segraft.commands.benchmark import benchmark, notes, rows


def result(**changes: Any) -> dict[str, Any]:
    return {
        "parameters": 1000, "macs": 4_000_000_000, "file": 134_000_000,
        "preparation": 0.001, "network": 2.0, "postprocessing": 0.05, "total": 2.051,
        "memory": 2**30, "objects": 7, "trained": True, "generated": True, "size": (520, 696),
        "threads": 2, "device": "cpu", "engine": "PyTorch, float32",
    } | changes  # fmt: skip


def test_rows_compare_with_the_first() -> None:
    small = result(parameters=10, network=0.05, total=0.1, memory=3 * 2**30, engine="OpenVINO, int8")
    told = rows({"big": result(), "small": small})
    assert told["run by"] == {"big": "PyTorch, float32", "small": "OpenVINO, int8"}
    assert told["parameters"] == {"big": "1,000", "small": "10 (1/100)"}
    assert told["network"] == {"big": "2.00 s", "small": "50.0 ms (1/40)"}
    assert told["post-processing"] == {"big": "50.0 ms", "small": "50.0 ms"}
    assert told["multiply-adds (520 × 696)"]["big"] == "4 G"
    assert told["peak memory"] == {"big": "1,024 MiB", "small": "3,072 MiB (3 ×)"}
    assert told["model file"] == {"big": "134.00 MB", "small": "134.00 MB"}
    assert "model file" not in rows({"big": result(), "small": result(file=None)})
    assert "peak memory" not in rows({"big": result(), "small": result(memory=None)})


def test_notes_say_what_was_untrained() -> None:
    text = " ".join(notes({"big": result(trained=False), "small": result()}))
    assert "Without training: big." in text
    assert "one generated image, 520 × 696 pixels, on cpu with 2 threads" in text
    assert "one image, 520" in notes({"one": result(generated=False)})[0]
    assert "ideal network" in text
    assert "small finds 7 objects" in text
    assert "In brackets: in proportion to big." in text
    assert notes({"one": result(total=None, objects=None)}) == []
    assert "Without training" not in " ".join(notes({"one": result()}))


def test_show_prints_both(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("segraft.commands.benchmark.measure", lambda name, *_, **__: result(parameters=len(str(name))))
    found = benchmark("small", against="bigger")
    assert list(found) == ["bigger", "small"]
    printed = capsys.readouterr().out
    assert "array to labels" in printed
    assert "bigger" in printed
