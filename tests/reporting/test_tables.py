"""Rows of the page's tables: means over seeds, the best in bold, settings that differ."""

from __future__ import annotations

from segraft.metrics.scores import SCORES
from segraft.reporting.tables import score_rows, settings_rows, with_spread


def test_a_mean_has_its_spread_where_there_are_several() -> None:
    assert with_spread([0.5]) == "0.5000"
    assert with_spread([0.5, 0.7]) == "0.6000 ± 0.1414"
    assert with_spread([3, 5], 1) == "4.0 ± 1.4"


def test_the_best_mean_is_the_best() -> None:
    scores = {"one": [{"aji": 0.9, "voi": 3.0}, {"aji": 0.1, "voi": 1.0}], "two": [{"aji": 0.6, "voi": 2.5}]}
    rows = {row["name"]: row["cells"] for row in score_rows(scores)}
    assert [name for name in SCORES if name in rows] == ["aji", "voi"]
    assert [rows["aji"][name]["best"] for name in scores] == [False, True]
    assert [rows["voi"][name]["best"] for name in scores] == [True, False]
    assert score_rows({}) == []


def test_a_score_that_one_run_lacks_is_left_out() -> None:
    assert score_rows({"one": [{"aji": 0.9}, {}]}) == []


def test_settings_of_seeds_stand_in_one_cell() -> None:
    settings = {
        "student": [{"seed": 0, "steps": 20, "patch": [4, 4]}, {"seed": 1, "steps": 20, "patch": [4, 4]}],
        "teacher": [{"seed": 0, "steps": 20, "teacher": None}],
    }
    rows = {row["name"]: (row["cells"], row["differs"]) for row in settings_rows(settings)}
    assert rows["seed"] == ({"student": "0 | 1", "teacher": "0"}, True)
    assert rows["steps"] == ({"student": "20", "teacher": "20"}, False)
    assert rows["patch"] == ({"student": "4, 4", "teacher": "–"}, True)
    assert rows["teacher"][0] == {"student": "–", "teacher": "–"}
