"""Questions are answered: what is missing is trained and scored, once; what cannot be is refused.

Trainings and scores are made up where it is asked what is done, and when; a real answer stands at the end.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from segraft.cli import main
from segraft.coerce import plain
from segraft.commands import answer_scores, answering, asked
from segraft.commands.answering import answer
from segraft.commands.recipe import recipe
from segraft.data import DATASETS
from segraft.data.samples import LazySamples
from segraft.errors import UserError
from segraft.paper.questions import QUESTIONS, Question
from segraft.paper.questions.memory import REMEMBERED
from segraft.reporting.answers import draw_answers
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings
from segraft.training.gram_probe import STEPS, STUDENT, TEACHER, grams_file
from shared.samples import row_of_cells

pytestmark = pytest.mark.usefixtures("without_reports")

SCALE = 0.02
every = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


class Made:
    """What was trained and scored, by name."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.scored: list[str] = []
        self.stop_after: int | None = None

    def finish_all(self, trainings: Mapping[str, TrainSettings], *_: Any) -> None:
        for name, settings in trainings.items():
            if self.stop_after == len(self.trained):
                raise KeyboardInterrupt
            self.trained.append(name)
            folder = RunFolder(settings.out)
            folder.path.mkdir(parents=True)
            folder.config.write_text(yaml.safe_dump(plain(settings)))
            folder.metrics.write_text(json.dumps({"step": settings.steps, "val": {}}) + "\n")
            grams = np.ones((40, 2, 2, 4, 4)) * np.arange(1, 41)[:, None, None, None, None]
            arrays = {STUDENT: grams, TEACHER: np.ones_like(grams)} if "bank" in name else {STUDENT: grams}
            np.savez(grams_file(folder.path), allow_pickle=False, **{STEPS: np.arange(1, 41), **arrays})

    def scores_of(self, folder: Path, samples: list[Any]) -> dict[str, float]:
        if self.stop_after == len(self.scored):
            raise KeyboardInterrupt
        self.scored.append(folder.name)
        aji = 0.2 + crc32(folder.name.encode()) % 1000 / 2000
        return {"images": len(samples), **dict.fromkeys(answer_scores.METRICS, aji)}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Nothing is trained or measured; the real data set is of small images."""
    found = Made()
    costs = {"parameters": 9, "macs": 5e6, "total": 0.01, "network": 0.005}
    monkeypatch.setattr(answering, "finish_all", found.finish_all)
    monkeypatch.setattr(answer_scores, "load", lambda folder, _: folder)
    monkeypatch.setattr(answer_scores, "scores_of", found.scores_of)
    monkeypatch.setattr(answer_scores, "measure", lambda *_, **__: costs)
    monkeypatch.setattr(asked.Asked, "samples", lambda self, _: [None] * self.images)

    def reader(root: Any, split: str, labelled: int | None = None, seed: int = 0) -> LazySamples:
        return LazySamples(tuple(f"{split}{k}" for k in range(labelled or 30)), lambda name: row_of_cells(2, 1, name))

    monkeypatch.setitem(DATASETS, "bbbc039", reader)
    monkeypatch.setattr(asked, "bbbc039", reader)
    return found


def options(question: Question, folder: Path) -> dict[str, Any]:
    """What a question needs."""
    return {"root": folder} if question.data else {}


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def check_plot(figure: Figure, question: Question) -> None:
    """All panels have words, and all series that they are to show."""
    assert len(figure.axes) == len(question.panels)
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    for axes, panel in zip(figure.axes, question.panels, strict=True):
        assert (axes.get_xlabel(), axes.get_ylabel()) == (panel.xlabel, panel.ylabel)
        shown = set(axes.get_legend_handles_labels()[1])
        assert shown >= {*panel.series, *panel.levels}
        assert not panel.called or shown == {panel.called, *panel.levels}
        assert shown <= legend


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Figures that are drawn."""
    figures: list[Any] = []
    module = "segraft.reporting.answers.draw_answers"
    monkeypatch.setattr(module, lambda results: figures.append(draw_answers(results)) or figures[-1])
    return figures


@every
def test_every_model_is_scored_drawn_and_made_once(
    question: Question, made: Made, tmp_path: Path, drawn: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = recipe(question.name, out=tmp_path, scale=SCALE, **options(question, tmp_path))
    assert folder == tmp_path / question.name
    trials = [trial for trial in question.trials if trial.teacher != "given"]
    count = len(trials) * len(question.seeds)
    assert len(made.trained) == len(set(made.trained)) == count
    teachers = [name for name in made.trained if name.partition(",")[0] in question.teachers]
    students = [name for name in made.trained if name.startswith(("distilled", "with-bank", "both"))]
    assert made.trained.index(teachers[-1]) < made.trained.index(students[0])
    rows = rows_of(folder)
    scored = [row for row in rows if row["aji"]]
    assert len(scored) == len(made.scored) == count * len(question.conditions)
    assert all(row["images"] == "2" for row in scored)
    assert all(row["gain"] for row in scored for trial in trials if trial.name == row["trial"] and trial.alone)
    for ending in ("svg", "png"):
        assert (folder / f"plot.{ending}").stat().st_size > 1000
    check_plot(drawn[0], question)
    printed = capsys.readouterr().out
    for panel in question.panels:
        assert panel.points or f"{panel.title}: {panel.ylabel}, mean ± standard deviation over seeds" in printed
    for one, other in question.relations:
        assert f"correlation of {one} with {other}: " in printed
        assert f"with {other}: not known" not in printed
    recipe(question.name, out=tmp_path, scale=SCALE, **options(question, tmp_path))
    assert (len(made.trained), len(made.scored)) == (count, len(scored))
    assert rows_of(folder) == rows


@pytest.mark.parametrize("place", ["training", "scoring"])
def test_what_is_interrupted_goes_on_and_repeats_nothing(place: str, made: Made, tmp_path: Path) -> None:
    question = QUESTIONS["question-density"]
    made.stop_after = {"training": 5, "scoring": 20}[place]
    with pytest.raises(KeyboardInterrupt):
        recipe(question.name, out=tmp_path, scale=SCALE)
    assert place == "training" or len(rows_of(tmp_path / question.name)) == 20
    made.stop_after = None
    recipe(question.name, out=tmp_path, scale=SCALE)
    assert len(made.trained) == len(set(made.trained)) == 9
    rows = rows_of(tmp_path / question.name)
    assert len(rows) == len(made.scored) == 9 * 12
    keys = [tuple(row[name] for name in ("trial", "seed", "condition", "density", "occlusion")) for row in rows]
    assert len(set(keys)) == len(keys)


def test_rows_stand_for_runs_that_are_gone(made: Made, tmp_path: Path) -> None:
    folder = recipe("question-density", out=tmp_path, scale=SCALE)
    assert folder is not None
    (folder / "runs").rename(folder / "moved")
    lines = (folder / "results.csv").read_text().splitlines(keepends=True)
    gone = [line for line in lines if not line.startswith("distilled,1,")]
    (folder / "results.csv").write_text("".join(gone))
    made.trained.clear()
    recipe("question-density", out=tmp_path, scale=SCALE)
    assert made.trained == ["teacher, seed 1", "distilled, seed 1"], "what is lacking, and its teacher"


def test_results_of_another_budget_are_refused(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe("question-density", out=tmp_path, scale=SCALE)
    with pytest.raises(UserError, match=r"results of another budget: scale 0\.02, not 0\.5.* choose another --out"):
        recipe("question-density", out=tmp_path, scale=0.5)
    question = QUESTIONS["question-density"]
    other = replace(question, settings={**question.settings, "rate": 0.5})
    with pytest.raises(UserError, match=r"teacher rate 0\.01, not 0\.5, alone rate 0\.01, not 0\.5"):
        answer(other, tmp_path, scale=SCALE)
    assert len(made.trained) == 9


def test_a_given_model_adds_to_what_is_there(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe("few-labels", out=tmp_path, scale=SCALE, root=tmp_path)
    count = len(made.trained)
    from segraft.data.shipped import TEACHER_FILE

    recipe("few-labels", out=tmp_path, scale=SCALE, root=tmp_path, model=TEACHER_FILE)
    further = made.trained[count:]
    assert len(further) == 2 * 3 * 3
    assert all(name.startswith("given") for name in further)
    settings = yaml.safe_load((tmp_path / "few-labels/runs/given-unlabelled-5-seed-1/config.yaml").read_text())
    assert settings["teacher"] == str(TEACHER_FILE)
    assert len(settings["unlabelled"]) == 25
    assert settings["options"] == {"labelled": 5, "seed": 1}


def test_drift_is_that_of_the_grams(made: Made, tmp_path: Path) -> None:
    folder = recipe("question-memory", out=tmp_path, scale=SCALE)
    assert folder is not None
    rows = rows_of(folder)
    lags = {row["lag"]: float(row["drift"]) for row in rows if row["trial"] == "alone" and row["condition"] == "lag"}
    assert list(lags) == ["1", "2", "4", "8", "16", "32"]
    assert lags["1"] == pytest.approx(np.mean([1 / step for step in range(2, 41)]))
    remembered = [float(row["drift"]) for row in rows if row["series"] == REMEMBERED]
    assert remembered
    assert not any(remembered)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("question-gape", {}, "unknown recipe 'question-gape'.*did you mean 'question-gap'"),
        ("question-gap", {"steps": 5}, "steps: got one for question-gap, expected no options but device, scale; omit"),
        ("question-gap", {"seed": 0}, "seed: got one for question-gap"),
        ("question-gap", {"root": "."}, "root: got one for question-gap"),
        ("question-gap", {"model": "m"}, "model: got one for question-gap"),
        ("question-gap", {"scale": 0.0}, "scale: got 0.0, expected more than 0 and at most 1"),
        ("question-gap", {"device": "gpu"}, "unknown device 'gpu'"),
        ("few-labels", {}, "root: got none for few-labels, expected the folder of bbbc039; give it with --root"),
        ("few-labels", {"root": "nowhere"}, "root: nowhere does not exist, expected the folder of bbbc039"),
        ("few-labels", {"root": "."}, "metadata.*not found"),
        ("few-labels", {"root": ".", "model": "nowhere"}, "nowhere"),
    ],
)
def test_mistakes_are_answered_before_anything_is_written(
    name: str, given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        recipe(name, out=tmp_path / "runs", **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_test_images_are_taken_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = LazySamples(tuple(map(str, range(50))), lambda name: row_of_cells(2, 1, name))
    monkeypatch.setitem(DATASETS, "bbbc039", lambda root, split: reader)
    question = QUESTIONS["few-labels"]
    for scale, names in ((1.0, [str(k) for k in range(0, 50, 2)]), (0.05, ["0", "25"])):
        found = asked.Asked(question, tmp_path, tmp_path, scale=scale).samples(question.conditions[0])
        assert [sample.name for sample in found] == names


def test_damaged_results_are_named(made: Made, tmp_path: Path) -> None:
    folder = recipe("question-density", out=tmp_path, scale=SCALE)
    assert folder is not None
    (folder / "results.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"results\.csv has no columns trial, seed, condition"):
        recipe("question-density", out=tmp_path, scale=SCALE)


def test_questions_are_listed_under_a_heading(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("segraft.commands.recipe.listing", lambda: None)  # of the recipes, whose costs are counted
    assert main(["recipe"]) == 0
    listed = capsys.readouterr().out.partition("Questions that the paper leaves open")[2]
    for question in QUESTIONS.values():
        (line,) = (line for line in listed.splitlines() if question.name in line.split())
        assert question.asks in line
        assert str(question.minutes) in line


def small(question: Question, keep: Callable[[str], bool] = lambda name: True) -> Question:
    """A question of small images and patches, one seed and few trials."""
    options = {**question.settings["options"], "size": (48, 48)}
    tiny = {"patch": (32, 32), "batch": 1, "width": 1, "options": options, "warmup": 1}
    trials = tuple(
        replace(trial, settings={**trial.settings, "width": 1}) for trial in question.trials if keep(trial.name)
    )
    return replace(
        question,
        settings={**question.settings, **tiny},
        test={**question.test, "size": (48, 48)},
        trials=trials,
        conditions=question.conditions[:2],
        seeds=(0,),
        costs=None if question.costs is None else (32, 32),
    )


KEPT = {
    "question-density": lambda name: True,
    "question-gap": lambda name: name in ("teacher-4", "alone-2", "distilled-2-from-4"),
    "question-memory": lambda name: True,
    "question-dimension": lambda name: name.endswith(("-4", "-64")),
    "question-terms": lambda name: name in ("teacher", "alone", "instance-within", "affinity-across", "bank-256-12"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KEPT)
def test_a_small_question_is_answered_in_earnest(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    question = small(QUESTIONS[name], KEPT[name])
    folder = answer(question, tmp_path, scale=0.01)
    rows = rows_of(folder)
    assert len([row for row in rows if row["aji"]]) == len(question.trials) * len(question.conditions)
    assert all(RunFolder(run).model.exists() for run in (folder / "runs").iterdir())
    monkeypatch.setattr("segraft.training.run.run", lambda *_: pytest.fail("trained again"))
    answer(question, tmp_path, scale=0.01)
    assert rows_of(folder) == rows
