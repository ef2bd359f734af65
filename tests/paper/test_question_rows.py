"""Rows of a question: kept in a file as they are, gains of the same seed and condition, correlations."""

from __future__ import annotations

from pathlib import Path

import pytest

from segraft.paper.questions.question import Condition, Panel, Question, Trial
from segraft.paper.questions.rows import Results, Row, in_order, mean_of, related

QUESTION = Question(
    name="question",
    asks="?",
    minutes=1,
    settings={"dataset": "synthetic"},
    trials=(
        Trial(name="large", series="teacher"),
        Trial(name="own", series="alone", values={"width": 2}),
        Trial(name="taught", series="distilled", teacher="large", alone="own", values={"width": 2}),
    ),
    conditions=(Condition(values={"density": 0.2}), Condition(values={"density": 0.5})),
    panels=(Panel(title="", x="width", xlabel="", levels=("teacher",)),),
)


def row(trial: str, seed: int, density: float, aji: float) -> Row:
    found = next(each for each in QUESTION.trials if each.name == trial)
    known: Row = {"trial": trial, "seed": seed, "condition": "test", "density": density, "series": found.series}
    return {**known, **found.values, "aji": aji}


ROWS = [
    row(trial, seed, density, start + 0.1 * seed + density / 10)
    for trial, start in (("large", 0.7), ("own", 0.4), ("taught", 0.5))
    for seed in (0, 1)
    for density in (0.2, 0.5)
]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results.read(QUESTION, tmp_path / "results.csv")
    for each in ROWS:
        made.add([dict(each)])
    return made


def test_a_file_gives_back_what_was_written(results: Results) -> None:
    again = Results.read(QUESTION, results.path)
    for before, after in zip(results.rows, again.rows, strict=True):
        assert {name: value for name, value in after.items() if value is not None} == before
    assert again.has(trial="own", seed=1, condition="test", density=0.5)
    assert not again.has(trial="own", seed=2, condition="test", density=0.5)


def test_gains_are_of_the_same_seed_and_condition(results: Results) -> None:
    taught = [each for each in results.rows if each["trial"] == "taught"]
    assert [each["gain"] for each in taught] == pytest.approx([0.1] * 4)
    assert [each["gap"] for each in taught] == pytest.approx([0.3] * 4)
    assert [each["teacher_score"] for each in taught] == pytest.approx([0.72, 0.75, 0.82, 0.85])
    assert all("gain" not in each for each in results.rows if each["trial"] != "taught")
    assert results.pairs("gain", "width") == [(pytest.approx(0.1), 2)] * 4


def test_series_have_the_values_of_all_seeds_and_levels_no_place(results: Results) -> None:
    (panel,) = QUESTION.panels
    series = results.series(panel)
    assert {name: list(points) for name, points in series.items()} == {"alone": [2], "distilled": [2]}
    assert series["alone"][2] == pytest.approx([0.42, 0.45, 0.52, 0.55])
    assert results.levels(panel) == {"teacher": pytest.approx([0.72, 0.75, 0.82, 0.85])}
    one = Panel(title="", x="density", xlabel="", where={"width": 2}, called="both")
    assert {name: list(points) for name, points in results.series(one).items()} == {"both": [0.2, 0.5]}


def test_correlations_and_means() -> None:
    assert related([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)]) == pytest.approx(1)
    assert related([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]) == pytest.approx(-1)
    assert related([(1.0, 2.0), (2.0, 4.0)]) is None
    assert related([(1.0, 2.0), (1.0, 4.0), (1.0, 5.0)]) is None
    assert mean_of([0.5]) == "0.5"
    assert mean_of([0.5, 0.7]) == "0.6 ± 0.14"
    assert in_order([64, 4, 16, 4]) == [4, 16, 64]
    assert in_order(["within", "across", "within"]) == ["within", "across"]
