"""Recipes run: one of each data set, network and method, two steps long on made-up images; and what is refused.

Whether it runs, scores and says what it is; not how well.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segraft
from segraft.cli import main
from segraft.commands import recipe_scores, reproducing
from segraft.commands.recipe import recipe
from segraft.commands.recipe_scores import segment
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.networks import dimensions
from segraft.paper import RECIPES, budget
from segraft.paper.results import read
from segraft.paper.scaling import scaled
from segraft.settings import TrainSettings
from shared.networks import SMALL_FILTERS, SMALL_PATCH
from shared.samples import row_of_cells

pytestmark = pytest.mark.usefixtures("without_reports")

KINDS = {(each.settings.dataset, each.settings.network, each.method): name for name, each in reversed(RECIPES.items())}
"""A recipe of every kind, the first one."""


def marked(name: str, place: int) -> Any:
    """Every other kind is left to ``-m slow``: networks and methods are many, and each pair has a test of its own."""
    return pytest.param(name, marks=pytest.mark.slow if place % 2 else ())


OTHERS = (
    "table2-bbbc039-resunet-tiny-graph-from-nested-unet",
    "table4-cvppp-mobilenet-row-2",
    "table5-bbbc039-mobilenet-row-7",
    "fig6-cvppp-mobilenet-k-8",
    "table6-cvppp-resunet-tiny-width-2-graph",
)
"""What else recipes vary."""
SCALE = 0.001


def reader(name: str) -> Any:
    """A data set of one image that has the options of the real one."""
    ndim, channels = {"ac34": (3, 1), "cremi": (3, 1), "cvppp": (2, 3)}.get(name, (2, 1))

    def read_sample(root: Any, split: str, sample: str = "all") -> Any:
        return (made[split],)

    made = {split: row_of_cells(ndim, channels, f"{name}-{split}") for split in ("train", "val", "test")}
    return read_sample


def tiny(settings: TrainSettings, scale: float) -> TrainSettings:
    """A scale below all scales."""
    small = scaled(settings, scale)
    filters = SMALL_FILTERS[settings.network] if settings.width is None else None
    patch = SMALL_PATCH[dimensions(settings.network)]
    return replace(small, steps=2, filters=filters, dim=4, patch=patch, workers=0, geometry=("flip",), intensity=())


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in {each.settings.dataset for each in RECIPES.values()}:
            patch.setitem(DATASETS, name, reader(name))
        patch.setattr(budget, "scaled", tiny)
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that each teacher is trained once."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("name", [*map(marked, reversed(KINDS.values()), itertools.count()), *OTHERS])
def test_every_kind_of_recipe_runs(name: str, runs: Path, tmp_path: Path) -> None:
    chosen = RECIPES[name]
    out = recipe(name, root=tmp_path, out=runs, scale=SCALE, device="cpu")
    assert out == runs / f"{name}-scale-0.001"
    result = read(out / "scores.json")
    assert (result.recipe, result.scale, result.seed) == (name, SCALE, 555)
    assert not result.comparable
    assert result.note.startswith("scaled by 0.001: not comparable with the published figure")
    assert set(result.scores) == set(result.images) == {"ours", "paper"}
    for protocol, by_segmentation in result.images.items():
        assert set(result.scores[protocol]) == set(by_segmentation) == set(chosen.segmentations)
        for segmentation, images in by_segmentation.items():
            assert list(images) == [f"{chosen.settings.dataset}-test"]
            assert all(np.isfinite(value) for value in result.scores[protocol][segmentation].values())
    assert chosen.teacher is None or (runs / f"{chosen.teacher}-scale-0.001" / "scores.json").exists()
    recorded = json.loads((out / "scores.json").read_text())
    assert recorded["comparable"] is False
    assert "2 of 300000 steps" in result.differs
    assert result.spent is not None
    assert (result.spent.steps, result.spent.teacher is None) == (2, chosen.teacher is None)
    assert result.hardware["device"] == "cpu"
    assert result.hardware["threads"] >= 1
    assert result.seconds["training"] is not None
    assert result.seconds["training"] > 0
    assert result.seconds["scoring"] is not None
    assert result.seconds["scoring"] > 0
    assert result.command.endswith(f"{name} --root {tmp_path} --scale 0.001")


def test_students_of_a_teacher_share_a_pool(runs: Path, tmp_path: Path) -> None:
    made = []
    for method in ("at", "spkd"):
        name = f"table2-bbbc039-resunet-tiny-{method}"
        out = recipe(name, root=tmp_path, out=runs, scale=SCALE, cache=3, device="cpu")
        result = read(out / "scores.json")
        assert out == runs / f"{name}-scale-0.001-cache-3"
        assert result.spent is not None
        assert result.spent.cache == 3
        assert "a pool of 3 patches" in result.differs
        assert result.command.endswith("--scale 0.001 --cache 3")
        files = [path for path in (runs / "cache").glob("patches-*/*") if path.is_file()]
        made.append({path: path.stat().st_mtime_ns for path in files})
    assert len(made[0]) >= 3
    assert made[0] == made[1], "made once"


def test_the_command_prints_published_beside_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    name = "table2-bbbc039-resunet-tiny-none"
    told = ["--root", str(tmp_path), "--out", str(tmp_path / "runs"), "--scale", "0.001", "--device", "cpu"]
    assert main(["recipe", name, *told, "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert "scaled by 0.001: not comparable with the published figure" in out
    (line,) = [line.split() for line in out.splitlines() if "AJI" in line]
    assert line[:4] == ["mutex", "AJI", "aji", "0.865"]
    folder = tmp_path / "runs" / f"{name}-scale-0.001-seed-3"
    scores = read(folder / "scores.json").scores
    assert line[4:] == [f"{scores[protocol]['mutex']['aji']:.4f}" for protocol in ("paper", "ours")]

    assert main(["recipe", name, *told, "--seed", "3"]) == 2
    assert "is there already" in capsys.readouterr().err
    monkeypatch.setattr("segraft.training.run.run", lambda _: pytest.fail("trained again"))
    assert main(["recipe", name, *told, "--seed", "3", "--resume"]) == 0
    assert read(folder / "scores.json").scores == scores


def test_an_interrupted_teacher_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "table2-bbbc039-resunet-tiny-at"
    given: dict[str, Any] = {"root": tmp_path, "out": tmp_path / "runs", "scale": SCALE, "device": "cpu"}
    with monkeypatch.context() as broken:
        broken.setattr(reproducing, "score", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            recipe(name, **given)
    teacher = tmp_path / "runs" / "table2-bbbc039-resunet-scale-0.001"
    assert (teacher / "model.safetensors").exists()
    with pytest.raises(UserError, match=f"{teacher.name} is there already, .*--resume"):
        recipe(name, **given)
    assert recipe(name, **given, resume=True) is not None
    assert (teacher / "scores.json").exists()


def test_one_pass_segments_as_predict_does(tmp_path: Path) -> None:
    chosen = RECIPES["table2-bbbc039-resunet-tiny-none"]
    out = recipe(chosen.name, root=tmp_path, out=tmp_path / "runs", scale=SCALE, device="cpu")
    model = segraft.load(out or "", "cpu")
    test = DATASETS["bbbc039"](None, "test")[0]
    segmentation = replace(model.config.segmentation, foreground_threshold=0.4)
    model.config = replace(model.config, segmentation=segmentation)
    found = segment(model, test, chosen)
    np.testing.assert_array_equal(found["mutex-dense"], model.predict(test.image))
    inside = segment(model, test, replace(chosen, foreground="truth"))["mutex"] > 0
    assert not inside[test.labels == 0].any()


def test_volumes_are_labelled_everywhere(tmp_path: Path) -> None:
    chosen = RECIPES["table3-ac34-mala-tiny-none"]
    out = recipe(chosen.name, root=tmp_path, out=tmp_path / "runs", scale=SCALE, device="cpu")
    found = segment(segraft.load(out or "", "cpu"), DATASETS["ac34"](None, "test")[0], chosen)
    assert set(found) == {"waterz", "lmc"}
    assert all(labels.all() for labels in found.values())


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("table9", {"root": "."}, "unknown recipe 'table9'; known: table2-"),
        ("table2-bbbc039-resunet-tiny-grap", {"root": "."}, "did you mean 'table2-bbbc039-resunet-tiny-graph'"),
        ("table2-bbbc039-resunet", {}, "root: got none .*, expected the folder of bbbc039; give it with --root"),
        ("table2-bbbc039-resunet", {"root": "not there"}, "not there does not exist, expected the folder of bbbc039"),
        ("table2-bbbc039-resunet", {"root": ".", "scale": 2.0}, "scale: got 2.0, expected more than 0 and at most 1"),
        ("table2-bbbc039-resunet", {"root": ".", "scale": 0.0}, "scale: got 0.0"),
        ("table2-bbbc039-resunet", {"root": ".", "steps": 0}, "steps: got 0, expected 1 or more"),
        ("table2-bbbc039-resunet", {"root": ".", "batch": 0}, "batch: got 0, expected 1 or more"),
        ("table2-bbbc039-resunet", {"root": ".", "rate": 0.0}, "rate: got 0.0, expected more than 0"),
        ("table2-bbbc039-resunet", {"root": ".", "patch": (32,)}, r"patch: got \(32,\), expected 2 sizes"),
        ("table2-bbbc039-resunet", {"root": ".", "teacher_width": 0}, "teacher_width: got 0, expected 1 or more"),
        ("table3-ac34-mala", {"root": ".", "teacher_width": 4}, "width: got 4 for mala, expected none"),
        ("table2-bbbc039-resunet", {"root": ".", "training": "own"}, "unknown training 'own'; known: recipe, package"),
        ("table2-bbbc039-resunet", {"root": ".", "seed": -1}, "seed: got -1, expected 0 or more"),
        ("table2-bbbc039-resunet", {"root": ".", "device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_mistakes_are_answered_before_anything_is_written(
    name: str, given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        recipe(name, out=tmp_path / "runs", **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_interrupted_scoring_goes_on_and_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "table2-bbbc039-resunet-tiny-none"
    samples = tuple(replace(row_of_cells(2, 1, f"image-{n}"), name=f"image-{n}") for n in range(3))
    monkeypatch.setitem(DATASETS, "bbbc039", lambda root, split, **_: samples)
    seen: list[str] = []

    def segmented(model: Any, sample: Any, chosen: Any) -> Any:
        seen.append(sample.name)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return segment(model, sample, chosen)

    monkeypatch.setattr(recipe_scores, "segment", segmented)
    with pytest.raises(KeyboardInterrupt):
        recipe(name, root=tmp_path, out=tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    partial = folder / "scoring.jsonl"
    partial.write_text(partial.read_text(encoding="utf-8") + '{"image": "image-1", "sco', encoding="utf-8")
    recipe(name, root=tmp_path, out=tmp_path / "runs", resume=True)
    assert seen == ["image-0", "image-1", "image-1", "image-2"]
    assert not partial.exists()
    again = folder / "scores.json"
    first = json.loads(again.read_text(encoding="utf-8"))["images"]
    again.unlink()
    partial.write_text('{"model": "another"}\n{"image": "image-0", "scores": {}}\n', encoding="utf-8")
    recipe(name, root=tmp_path, out=tmp_path / "runs", resume=True)
    assert seen[4:] == ["image-0", "image-1", "image-2"], "of another model nothing is taken"
    assert json.loads(again.read_text(encoding="utf-8"))["images"] == first
