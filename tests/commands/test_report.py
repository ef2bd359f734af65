"""Runs compared on the same images: what is needed, and what is said about differences."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segraft.cli import main
from segraft.commands.report import caveat, compare, over_seeds, verdict
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.model import benchmarking
from segraft.model.model import Model
from shared.run_folders import make_run


def test_a_comparison_needs_truth(tmp_path: Path, cells: Path) -> None:
    for mask in (cells / "masks").iterdir():
        mask.unlink()
    with pytest.raises(UserError):
        compare({}, "folder", cells, "test", tmp_path)


def seeds(tmp_path: Path) -> list[str]:
    """Run folders of a teacher and of two seeds of a student."""
    made = [make_run(tmp_path / "teacher", steps=9)]
    made += [make_run(tmp_path / f"student-{seed}", seed=seed) for seed in range(2)]
    return [str(run) for run in made]


def test_seeds_are_one_model_in_the_table_and_on_the_page(
    tmp_path: Path, cells: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarking, "peak_memory", lambda *_: None)
    out = tmp_path / "out"
    data = ["--dataset", "folder", "--root", str(cells), "--device", "cpu"]
    assert main(["report", *seeds(tmp_path), *data, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "student" in printed.splitlines()[1]
    assert "student-0 " not in printed.splitlines()[1]
    assert "±" in printed
    assert "Seeds: teacher 1, student 2." in printed
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "aji of each model against parameters" in text
    assert re.search(r"model file +│ 0\.\d\d MB", printed)
    assert '<option value="2">milliseconds per image</option>' in text
    assert "(2 seeds)" in text


def test_model_files_are_compared_like_runs(
    tmp_path: Path, cells: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarking, "timed", lambda *_: pytest.fail("nothing is to be timed"))
    files = []
    for run in seeds(tmp_path):
        files.append(str(Path(run).with_suffix(".safetensors")))
        (Path(run) / "model.safetensors").rename(files[-1])
    out = tmp_path / "out"
    assert main(["report", *files, "--out", str(out)]) == 2
    refusal = capsys.readouterr().err
    assert refusal.count("\n") == 1
    assert "give --dataset" in refusal
    assert not out.exists()
    data = ["--dataset", "folder", "--root", str(cells), "--device", "cpu"]
    assert main(["report", *files, *data, "--no-times", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "multiply-adds" in printed
    assert "Times" not in printed
    assert "network" not in printed
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "Curves" not in text
    assert "student-1" in text
    assert "megabytes on disk" in text
    assert "milliseconds per image" not in text


def test_costs_of_seeds_are_means_of_what_is_known() -> None:
    times = dict.fromkeys(("macs", "preparation", "network", "postprocessing", "total"), 1.0)
    one = {**times, "parameters": 300, "file": 1200, "memory": 10, "size": (4, 4)}
    assert over_seeds([one, {**one, "total": 2.0, "memory": None}]) == {**one, "total": 1.5}
    assert over_seeds([{**one, "memory": None}])["memory"] is None


@pytest.mark.parametrize(
    ("gain", "words"), [(0.1, ": it is better."), (-0.1, ": it is worse."), (0.0, ": no clear difference.")]
)
def test_the_verdict_says_what_the_numbers_say(gain: float, words: str) -> None:
    spread = [0.05, -0.05, 0.01, -0.01, 0.0]
    by_image: dict[str, Any] = {
        "teacher": [[{"aji": 0.9}] * 5],
        "student alone": [[{"aji": 0.5}] * 5],
        "student distilled": [[{"aji": 0.5 + gain + 2 * noise} for noise in spread], [{"aji": 0.5 + gain}] * 5],
    }
    (first,) = verdict(by_image)
    assert words in first
    assert f"{abs(gain):.3f} (95 % interval" in first
    assert verdict({"teacher": [[{"aji": 0.9}]]}) == []
    few = {name: [scores[:4] for scores in runs] for name, runs in by_image.items()}
    assert verdict(few)[0].endswith("too few images to tell.")


def test_where_lower_is_better_a_fall_is_better() -> None:
    by_image: dict[str, Any] = {
        name: [[{"voi": voi}] * 5] for name, voi in {"t": 1.0, "alone": 2.0, "new": 1.5}.items()
    }
    assert verdict(by_image, "voi")[0].startswith("VOI of new minus alone: -0.500")
    assert verdict(by_image, "voi")[0].endswith("it is better.")


def test_what_the_intervals_leave_out() -> None:
    assert "One run of each" in caveat({"teacher": ["teacher"], "student": ["student"]})
    assert "teacher 1, student 3" in caveat({"teacher": ["teacher"], "student": ["a", "b", "c"]})


def test_where_students_fail_stands_in_the_table_and_on_the_page(
    tmp_path: Path, cells: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The teacher sees the truth, both students join the first two objects."""
    runs = seeds(tmp_path)
    truths = [np.asarray(sample.labels) for sample in open_dataset("folder", cells, "test")]
    pairs = [np.unique(labels[labels > 0])[:2].tolist() for labels in truths]
    joined = [np.where(labels == second, first, labels) for labels, (first, second) in zip(truths, pairs, strict=True)]
    predicted = iter([*truths, *joined, *joined])
    monkeypatch.setattr(Model, "predict", lambda *_, **__: next(predicted))
    out = tmp_path / "out"
    tokens = ["--dataset", "folder", "--root", str(cells), "--device", "cpu", "--no-times", "--out", str(out)]
    assert main(["report", *runs, *tokens]) == 0
    printed = capsys.readouterr().out
    text = (out / "report.html").read_text(encoding="utf-8")
    for page in (printed, text):
        assert f"on {len(truths)} of {len(truths)} images, the worst first" in page
        for first, second in pairs:
            assert f"2 merged ({first}, {second})" in page
    assert "<h2>Where students fail</h2>" in text
