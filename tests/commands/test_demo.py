"""The demonstration from nothing, its resumption, and what is said about differences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from segraft.commands import demo as demo_module
from segraft.commands.demo import complete, demo, generate
from segraft.commands.report import compare, paired_difference, verdict
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.model import benchmarking
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings, plain


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration of seconds: few and easy images, small patches, no second process for the memory."""
    monkeypatch.setattr(demo_module, "IMAGES", {"train": 2, "val": 1, "test": 2})
    monkeypatch.setitem(demo_module.SHORT, "patch", (32, 32))
    monkeypatch.setitem(demo_module.SHORT, "batch", 2)
    monkeypatch.setattr(demo_module, "TEACHER_WIDTH", 2)
    monkeypatch.setattr(demo_module, "STUDENT_WIDTH", 1)
    monkeypatch.setattr(benchmarking, "peak_memory", lambda *_: None)


@pytest.mark.usefixtures("tiny")
def test_the_demo_from_nothing_and_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "demo"
    page = demo(out, teacher_steps=2, steps=3, device="cpu")
    assert page == out / "report.html"
    printed = capfd.readouterr().out
    for part in ("[1/5]", "[4/5] student distilled: 3 steps", "aji", "parameters", "array to labels", "report.html"):
        assert part in printed.replace("\n", " ")
    text = page.read_text(encoding="utf-8")
    for part in ("student alone", "student distilled", "array to labels", "bootstrap over 2 images"):
        assert part in text
    assert (out / "student-distilled" / "report.html").exists(), "each run has its own"
    assert "inter_affinity" in RunFolder(out / "student-distilled").history()[0]

    settings = {name: yaml.safe_load((out / name / "config.yaml").read_text()) for name in ("teacher", "student-alone")}
    distilled = yaml.safe_load((out / "student-distilled" / "config.yaml").read_text())
    assert settings["teacher"]["steps"] == 2
    assert settings["student-alone"]["steps"] == distilled["steps"] == 3
    assert distilled["teacher"] == str(out / "teacher")

    with pytest.raises(UserError, match=r"exists already.*--resume"):
        demo(out, teacher_steps=2, steps=3, device="cpu")
    with pytest.raises(UserError, match="begun with another steps"):
        demo(out, teacher_steps=2, steps=4, device="cpu", resume=True)
    monkeypatch.setattr(demo_module, "run", lambda _: pytest.fail("trained again"))
    assert demo(out, teacher_steps=2, steps=3, device="cpu", resume=True) == page


def test_the_demo_asks_for_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "available", lambda: False)
    with pytest.raises(UserError, match="pip install"):
        demo(tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


@pytest.mark.usefixtures("tiny")
def test_generated_images_are_a_users_data_set(tmp_path: Path) -> None:
    generate(tmp_path / "a", seed=3)
    generate(tmp_path / "a", seed=3)
    generate(tmp_path / "b", seed=4)
    for split, count in demo_module.IMAGES.items():
        samples = open_dataset("folder", tmp_path / "a", split)
        assert len(samples) == count
        assert samples[0].labels is not None
        assert samples[0].labels.max() > 20
    same = open_dataset("synthetic", None, "test", count=1, seed=3, **demo_module.CELLS)[0]
    stored = open_dataset("folder", tmp_path / "a", "test")[0]
    assert (stored.image == same.image).all()
    assert (stored.labels == same.labels).all()
    assert (stored.image != open_dataset("folder", tmp_path / "b", "test")[0].image).any()


def begun(out: Path, steps: int, validated: int | None, saved: bool) -> TrainSettings:
    """Settings whose run folder looks like that of a run which got so far."""
    settings = TrainSettings(dataset="folder", out=out, steps=steps)
    (out / "checkpoints").mkdir(parents=True)
    (out / "config.yaml").write_text(yaml.safe_dump(plain(settings)))
    lines = [] if validated is None else [{"step": validated, "seconds": 1, "val": {"aji": 0.5}}]
    if saved:
        (out / "checkpoints" / "last.ckpt").touch()
        (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return settings


@pytest.mark.parametrize(
    ("validated", "saved", "resumed"),
    [(10, True, []), (5, True, [True]), (None, True, [True]), (None, False, [True])],
)
def test_a_training_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validated: int | None, saved: bool, resumed: list[bool]
) -> None:
    ran: list[TrainSettings] = []
    monkeypatch.setattr(demo_module, "run", ran.append)
    settings = begun(tmp_path / "run", 10, validated, saved)
    complete(settings)
    assert [each.resume for each in ran] == resumed


def test_a_training_that_was_not_begun_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[TrainSettings] = []
    monkeypatch.setattr(demo_module, "run", ran.append)
    complete(TrainSettings(dataset="folder", out=tmp_path / "run"))
    assert [each.resume for each in ran] == [False]


def test_a_comparison_needs_truth(tmp_path: Path, cells: Path) -> None:
    for mask in (cells / "masks").iterdir():
        mask.unlink()
    with pytest.raises(UserError):
        compare({}, "folder", cells, "test", tmp_path)


def test_paired_difference_is_that_of_the_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=50)  # how hard each image is counts for both
    mean, low, high = paired_difference((images + 0.1).tolist(), images.tolist())
    assert mean == pytest.approx(0.1)
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.1)
    noise = rng.normal(size=400)
    mean, low, high = paired_difference(noise.tolist(), [0.0] * 400)
    error = 1.96 * noise.std() / 20
    assert mean == pytest.approx(noise.mean())
    assert (low, high) == (pytest.approx(mean - error, abs=0.01), pytest.approx(mean + error, abs=0.01))


@pytest.mark.parametrize(
    ("gain", "words"), [(0.1, ": it is better."), (-0.1, ": it is worse."), (0.0, ": no clear difference.")]
)
def test_the_verdict_says_what_the_numbers_say(gain: float, words: str) -> None:
    spread = [0.05, -0.05, 0.01, -0.01, 0.0]
    by_image: dict[str, Any] = {
        "teacher": [{"aji": 0.9}] * 5,
        "student alone": [{"aji": 0.5}] * 5,
        "student distilled": [{"aji": 0.5 + gain + noise} for noise in spread],
    }
    first, warning = verdict(by_image)
    assert words in first
    assert f"{abs(gain):.3f} (95 % interval" in first
    assert "One run of each" in warning
    assert verdict({"teacher": [{"aji": 0.9}]}) == [warning]
    few = {name: scores[:4] for name, scores in by_image.items()}
    assert verdict(few)[0].endswith("too few images to tell.")
