"""Figures of the paper from runs and from models: what is drawn, what is said, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segraft.cli import main
from segraft.commands import contenders
from segraft.commands.contenders import Contender, Run, best, named_models, runs_in
from segraft.commands.figure import figure
from segraft.commands.figure_rows import compared, ranking, volume_rows
from segraft.commands.orders import Order
from segraft.data import DATASETS, open_dataset
from segraft.errors import UserError
from segraft.model import checkpoint
from segraft.networks import create_network
from segraft.paper import FIGURES, RECIPES, Recipe
from segraft.paper.figures import DRAWINGS
from segraft.paper.results import Result, Spent, write
from segraft.types import Sample
from shared.models import a_config
from shared.results import fake
from shared.run_folders import make_run

Capture = pytest.CaptureFixture[str]
STUDENT = "table2-bbbc039-resunet-tiny"


def models(tmp_path: Path, *names: str) -> list[str]:
    """Model files of these names, as the option takes them."""
    return [f"{name}={make_run(tmp_path / f'{name}-run') / 'model.safetensors'}" for name in names]


def drawn(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_segmentations_of_models_on_a_folder(tmp_path: Path, cells: Path, capsys: Capture) -> None:
    out = tmp_path / "figure.png"
    named = models(tmp_path, "graph", "mine", "alone")
    told = ["--model", *named, "--dataset", "folder", "--root", str(cells), "--device", "cpu"]
    assert main(["figure", "3", *told, "--split", "train", "--images", "2", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Figure 3: Segmentations of nuclei")
    assert "The 2 of 6 images on which alone and graph (ours) differ most in AJI" in text
    assert text.index("alone: ") < text.index("graph (ours): ") < text.index("mine: "), "as the columns"
    assert text.splitlines()[-1] == f"Figure: {out}"
    assert drawn(out).std() > 20
    height, width, _ = drawn(out).shape
    assert 1.7 < width / height < 2.5, "five columns, two rows, and words"


def test_embeddings_in_a_page_of_its_own(tmp_path: Path, cells: Path) -> None:
    data: dict[str, Any] = {"dataset": "folder", "root": cells, "device": "cpu", "images": 1}
    page = figure("V", model=models(tmp_path, "teacher", "alone"), out=tmp_path / "f.html", **data)
    text = page.read_text(encoding="utf-8")
    assert text.count('src="data:image/png;base64,') == text.count("src=") == 1
    assert "<h1>Figure 5: Embeddings" in text
    assert "three main components" in text
    assert "http" not in text
    drawing = figure("5", model=models(tmp_path, "other"), out=tmp_path / "f.svg", **data).read_text(encoding="utf-8")
    assert drawing.startswith("<?xml")


def a_run(runs: Path, name: str, scores: dict[str, float]) -> Path:
    """A finished run of a recipe that scored this AJI on images."""
    folder = make_run(runs / name, dataset="bbbc039", root="somewhere")
    images = {image: {"aji": score} for image, score in scores.items()}
    by = {"ours": {"mutex": images}, "paper": {"mutex": images}}
    means = {protocol: {"mutex": {"aji": 0.5}} for protocol in by}
    write(
        Result(recipe=name, scale=0.1, seed=555, note="scaled", scores=means, images=by, spent=Spent(steps=2)), folder
    )
    return folder


def test_runs_on_disk_have_their_data_scores_and_gaps(
    tmp_path: Path, cells: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = open_dataset("folder", cells, "train")
    asked: list[tuple[Any, str]] = []
    monkeypatch.setitem(DATASETS, "bbbc039", lambda root, split: (asked.append((root, split)), samples)[1])
    names = [sample.name for sample in samples]
    low, high = dict.fromkeys(names, 0.5), dict.fromkeys(names, 0.5) | {names[3]: 0.7, names[5]: 0.4}
    folders = [a_run(tmp_path / "runs", f"{STUDENT}-{end}", of) for end, of in (("none", low), ("graph", high))]
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "scores.json").write_text("{")
    figure("3", runs=tmp_path / "runs", images=2, out=tmp_path / "f.png", device="cpu")
    out, err = capsys.readouterr()
    assert asked == [("somewhere", "test")]
    assert f"differ most: {names[3]}, {names[5]}." in " ".join(out.split())
    assert "ResUNet-tiny from ResUNet on BBBC039V1." in out
    assert f"alone: {folders[0]} (scaled)" in out
    assert "No run of teacher, AT, SPKD, ReKD, BISKD; one is made by segraft recipe table2-bbbc039-resunet" in out
    assert err.count("skipped ") == 1
    assert main(["figure", "2", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "g.png")]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert "no finished run of a student on cvppp or bbbc010" in err
    assert "give --dataset bbbc039" in err
    assert not (tmp_path / "g.png").exists()


def test_of_several_budgets_the_best_counts(tmp_path: Path) -> None:
    fake(tmp_path, f"{STUDENT}-none", 0.5, spent=Spent(steps=5, batch=1, patch=(8, 8)))
    most = fake(tmp_path, f"{STUDENT}-none", 0.4, spent=Spent(steps=9, batch=1, patch=(8, 8)))
    assert {name: run.result for name, run in best(runs_in(tmp_path)).items()} == {f"{STUDENT}-none": most}
    assert best(runs_in(tmp_path / "nothing")) == {}


@dataclass(frozen=True)
class Made(Contender):
    """A contender that changes the truth."""

    change: Any = None

    def labels(self, sample: Sample) -> np.ndarray:
        return self.change(np.array(sample.labels))


def test_images_on_which_two_differ_most_come_first(cells: Path) -> None:
    samples = open_dataset("folder", cells, "train")
    right = Made("graph", cells, change=lambda labels: labels)
    worse = Made("alone", cells, change=lambda labels: labels * (labels > len(np.unique(labels)) // 2))
    found = ranking(samples, (worse, right))
    assert len(found) == len(samples)
    assert [each.difference for each in found] == sorted((each.difference for each in found), reverse=True)
    assert found[0].difference > 0
    assert [each.scores[0] for each in ranking(samples, (worse,))] == sorted(each.scores[0] for each in found)
    unlabelled = [Sample(samples[0].image, None, "x")]
    with pytest.raises(UserError, match="no image with a truth"):
        ranking(unlabelled, (right,))


@pytest.mark.parametrize(
    ("names", "pair"),
    [
        (["teacher", "alone", "at", "graph", "mine"], ["alone", "graph"]),
        (["teacher", "a", "b", "c"], ["a", "c"]),
        (["teacher", "alone"], ["alone"]),
        (["teacher"], ["teacher"]),
    ],
)
def test_students_alone_and_distilled_are_compared(names: list[str], pair: list[str]) -> None:
    assert [each.name for each in compared([Contender(name, Path(name)) for name in names])] == pair


def test_neurons_of_a_volume() -> None:
    samples = open_dataset("neurites", None, "test", size=(8, 48, 48), count=1)
    half = Made("alone", Path(), change=lambda labels: labels + (np.arange(48) > 24) * 1000 * (labels > 0))
    rows, columns, legend, _ = volume_rows(samples, [half], 1)
    assert columns == ["truth", "alone"]
    assert len(rows) == 4
    assert len(legend) == 2
    assert not rows[0].panels[1].words.startswith("0 split")


def test_the_memory_bank(tmp_path: Path, capsys: Capture) -> None:
    rows = FIGURES[6].parts[1].rows
    for place, name in enumerate(list(rows.values())[:4]):
        fake(tmp_path / "runs", name, 0.5 + 0.01 * place)
    out = figure("6", runs=tmp_path / "runs", out=tmp_path / "f.png")
    text = capsys.readouterr().out
    assert "BBBC039V1, in place of CVPPP" in text
    assert "K = 32, L = 12: 0.6" in text
    measured, missing = text.partition("Not measured: ")[::2]
    assert all(f"{label}: 0." in measured for label in list(rows)[:4])
    assert all(label in missing for label in list(rows)[4:])
    assert "K has a greater impact on GPU memory than L (V-D3)" in text
    assert drawn(out).std() > 10


def test_what_is_missing_is_trained_and_nothing_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, Order]] = []

    def reproduce(chosen: Recipe, order: Order) -> Path:
        asked.append((chosen.name, order))
        fake(order.out, chosen.name, 0.5)
        return order.out

    monkeypatch.setattr(contenders, "reproduce", reproduce)
    runs, names = tmp_path / "runs", list(FIGURES[6].parts[1].rows.values())
    fake(runs, names[0], 0.5)
    told: dict[str, Any] = {"runs": runs, "root": tmp_path, "dataset": "bbbc039", "out": tmp_path / "f.png"}
    figure("6", run=True, scale=0.1, seed=3, **told)
    assert [name for name, _ in asked] == names[1:]
    assert all((each.resume, each.budget.scale, each.seed) == (True, 0.1, 3) for _, each in asked)
    figure("6", run=True, **told)
    assert len(asked) == len(names) - 1


def three_dimensional(tmp_path: Path) -> str:
    network = {"name": "mala-tiny", "dim": 2, "filters": (2, 2, 2, 2)}
    checkpoint.save(
        tmp_path / "deep.safetensors", create_network("mala-tiny", 1, 2, (2, 2, 2, 2)), a_config(network, 3)
    )
    return f"deep={tmp_path / 'deep.safetensors'}"


def test_what_does_not_fit_is_refused(tmp_path: Path, cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep, (flat,) = three_dimensional(tmp_path), models(tmp_path, "alone")
    data: dict[str, Any] = {"dataset": "folder", "root": cells, "device": "cpu", "out": tmp_path / "f.png"}
    for number, more, words in (
        ("2", {"model": [deep]}, r"deep.safetensors: got a model of 3-D images, expected one of 2-D"),
        ("4", {"model": [flat]}, r"got a model of 2-D images, expected one of 3-D"),
        ("4", {"model": [deep]}, r"got 2-D images of folder, expected 3-D for figure 4; draw figure 2, 3 or 5"),
        ("6", {"model": [flat]}, r"model: got models, expected none"),
        ("6", {}, r"dataset: got folder, expected one of cvppp, bbbc039"),
        ("3", {}, r"no finished run of a student on folder"),
        ("3", {"model": [flat], "images": 0}, r"images: got 0"),
        ("3", {"model": [flat], "steps": 5}, r"steps: got one without --run"),
        ("3", {"run": True, "root": tmp_path / "no"}, r"root: .*no does not exist to train"),
        ("3", {"run": True}, r"the data set folder, of which there is no recipe"),
        ("3", {"model": [flat], "dataset": None}, r"dataset: got models without a data set"),
    ):
        with pytest.raises(UserError, match=words):
            figure(number, **{**data, **more})
    (tmp_path / "narrow").mkdir()
    network = {"name": "resunet-tiny", "dim": 4, "filters": (2, 2, 4)}
    checkpoint.save(tmp_path / "narrow", create_network("resunet-tiny", 1, 4, (2, 2, 4)), a_config(network))
    with pytest.raises(UserError, match=r"embeddings of different sizes \(alone 8, x 4\)"):
        figure("5", model=[flat, f"x={tmp_path / 'narrow'}"], **data)
    assert not (tmp_path / "f.png").exists()
    monkeypatch.setattr("segraft.commands.figure.available", lambda: False)
    with pytest.raises(UserError, match=r"pip install 'segraft\[report\]'"):
        figure("3", model=[flat], **data)


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["1"], "unknown figure '1'; known: 2, 3"),
        (["VII"], "unknown figure"),
        (["2", "--out", "."], "out: got the folder ."),
        (["2", "--out", "f.jpg"], "unknown ending of a figure's file '.jpg'; known: .png, .svg, .html"),
        (["2", "--model", "alone"], "model: got 'alone', expected NAME=FILE"),
        (["2", "--model", "alone=no.safetensors"], "no.safetensors does not exist"),
        (["2"], "no finished run"),
    ],
)
def test_mistakes_are_one_line(
    tokens: list[str], words: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["figure", *tokens]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_model_of_each_name_once(tmp_path: Path) -> None:
    (tmp_path / "a=b").touch()
    assert named_models([f"x={tmp_path}/a=b"]) == {"x": tmp_path / "a=b"}
    with pytest.raises(UserError, match="the name 'x' twice"):
        named_models([f"x={tmp_path}/a=b"] * 2)


def test_scores_of_runs_are_known_by_image(tmp_path: Path) -> None:
    run = Run(tmp_path, fake(tmp_path, f"{STUDENT}-none", 0.5))
    assert Contender("alone", tmp_path, run).known_score("x", "aji") is None
    assert Contender("alone", tmp_path).known_score("x", "aji") is None


def test_every_figure_names_data_that_have_recipes() -> None:
    known = {each.settings.dataset for each in RECIPES.values()}
    assert {name for drawing in DRAWINGS.values() for name in drawing.datasets} <= known
