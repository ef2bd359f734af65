"""The demonstration from nothing, its resumption, and what is said about differences."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from segraft.cli import main
from segraft.commands import demo as demo_module
from segraft.commands.demo import demo, generate
from segraft.data import open_dataset
from segraft.data.shipped import NUCLEI, TEACHER_FILE
from segraft.errors import UserError
from segraft.metrics.scoring import evaluate, summarise
from segraft.model import benchmarking
from segraft.model.model import load
from segraft.run_folder import RunFolder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A demonstration of seconds: few and easy images, small patches, no second process for the memory."""
    monkeypatch.setattr(demo_module, "IMAGES", {"train": 2, "val": 1, "test": 2})
    for name, value in {"patch": (32, 32), "batch": 2, "validation_images": 1}.items():
        monkeypatch.setitem(demo_module.SHORT, name, value)
    monkeypatch.setattr(demo_module, "TEACHER_WIDTH", 2)
    monkeypatch.setattr(demo_module, "STUDENT_WIDTH", 1)
    monkeypatch.setattr(demo_module, "TEACHER_STEPS", 2)
    monkeypatch.setattr(demo_module, "_at_once", lambda _: 1)
    monkeypatch.setattr(benchmarking, "peak_memory", lambda *_: None)


@pytest.mark.usefixtures("tiny")
def test_the_demo_on_nuclei(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_module, "SEEDS", 2)
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--steps", "2", "--device", "cpu"]) == 0
    printed = capfd.readouterr().out
    for part in (
        "[4/4] student distilled 1: 2 steps",
        "AJI of student distilled minus student alone",
        "Seeds: teacher 1",
    ):
        assert part in printed
    header = next(line for line in printed.splitlines() if line.startswith("┃"))
    cells = [cell.strip() for cell in header.strip("┃").split("┃")]
    assert cells == ["", "teacher", "student alone", "student distilled"], "seeds are one column"
    assert "bootstrap over 18 images" in (out / "report.html").read_text(encoding="utf-8")
    distilled = yaml.safe_load((out / "student-distilled-1" / "config.yaml").read_text())
    assert distilled["teacher"] == str(TEACHER_FILE)
    assert distilled["root"] == str(NUCLEI)
    monkeypatch.setattr("segraft.training.run.run", lambda _: pytest.fail("trained again"))
    assert demo(out, steps=2, device="cpu", resume=True) == out / "report.html"


def test_what_ships_is_small_free_and_good() -> None:
    """The images and the teacher of the demonstration: within the size, with their source, and worth learning from."""
    files = [path for path in NUCLEI.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if path.suffix == ".png") < 3e6
    assert TEACHER_FILE.stat().st_size < 3e6
    source = (NUCLEI / "SOURCE.md").read_text(encoding="utf-8")
    for part in ("BBBC039", "CC0 1.0", "16, 6 and 18 crops"):
        assert part in source
    assert [len(open_dataset("folder", NUCLEI, split)) for split in ("train", "val", "test")] == [16, 6, 18]
    names = [path.stem for path in files if path.parent.name == "images"]
    assert len(set(names)) == 40, "no image is in two splits"
    teacher, samples = load(TEACHER_FILE, "cpu"), open_dataset("folder", NUCLEI, "val")
    scores = summarise([evaluate(teacher.predict(sample.image), sample.labels) for sample in samples])
    assert scores["aji"] > 0.88
    assert scores["f1"] > 0.9


@pytest.mark.usefixtures("tiny")
def test_the_demo_from_nothing_and_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "demo"
    page = demo(out, generated=True, steps=3, device="cpu")
    assert page == out / "report.html"
    printed = capfd.readouterr().out
    for part in (
        "generate 5 images",
        "[1/1] teacher: 2 steps",
        "[2/2] student distilled: 3 steps",
        "aji",
        "parameters",
        "report.html",
    ):
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
        demo(out, generated=True, steps=3, device="cpu")
    with pytest.raises(UserError, match="begun with another steps"):
        demo(out, generated=True, steps=4, device="cpu", resume=True)
    monkeypatch.setattr("segraft.training.run.run", lambda _: pytest.fail("trained again"))
    assert demo(out, generated=True, steps=3, device="cpu", resume=True) == page


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
