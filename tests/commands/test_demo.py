"""The demonstration from nothing, its resumption, and what is said about differences."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segraft.commands import demo as demo_module
from segraft.commands.demo import demo, generate
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.model import benchmarking
from segraft.run_folder import RunFolder


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
    monkeypatch.setattr("segraft.training.attempts.run", lambda _: pytest.fail("trained again"))
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
