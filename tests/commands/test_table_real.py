"""A table from its command alone: what it lacks is trained on real images."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from segraft.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.mark.slow
@pytest.mark.usefixtures("without_reports")
def test_a_table_is_trained_on_real_nuclei(real_data: Path, tmp_path: Path, capsys: Capture) -> None:
    """Table VI's smallest student, alone and from a teacher, on some images of BBBC039."""
    source, root = real_data / "bbbc039", tmp_path / "data" / "bbbc039"
    (root / "metadata").mkdir(parents=True)
    for folder in ("images", "masks"):
        (root / folder).symlink_to(source / folder)
    for name, count in {"training": 6, "validation": 1, "test": 3}.items():
        lines = (source / "metadata" / f"{name}.txt").read_text().split()[:count]
        (root / "metadata" / f"{name}.txt").write_text("\n".join(lines) + "\n")
    told = ["table", "6", "--dataset", "bbbc039", "--rows", "S1/20", "--run", "--root", str(tmp_path / "data")]
    told += ["--runs", str(tmp_path / "runs"), "--training", "package", "--steps", "150", "--patch", "64", "64"]
    told += ["--batch", "4", "--rate", "0.003", "--teacher-width", "4", "--device", "cpu"]
    assert main([*told, "--out", str(tmp_path / "t.csv")]) == 0
    values = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert {each["row"] for each in values} == {"S1/20, alone", "S1/20, Ours"}
    dice = [float(each["measured"]) for each in values if each["metric"] == "dice"]
    assert len(dice) == 4
    assert min(dice) > 0.3, "it has learnt something"
    capsys.readouterr()
    assert main(told) == 0
    assert "[1 of" not in capsys.readouterr().out, "nothing is repeated"
