"""Score against cost: which axes there are, and the front of each pair."""

from __future__ import annotations

import json

from segraft.reporting.tradeoff import tradeoff
from shared.pages import a_cost

SCORES = {
    "teacher": [{"aji": 0.9, "voi": 0.4, "n_true": 30}],
    "alone": [{"aji": 0.80, "voi": 0.3, "n_true": 30}, {"aji": 0.82, "voi": 0.5, "n_true": 30}],
    "distilled": [{"aji": 0.85, "voi": 0.6, "n_true": 30}],
}
COSTS = {
    "teacher": [a_cost(33_600_000, 4.0)],
    "alone": [a_cost(300_000, 0.3), a_cost(300_000, 0.2)],
    "distilled": [a_cost(300_000, 0.25)],
}


def test_the_front_is_that_of_the_axes() -> None:
    shown = tradeoff(SCORES, COSTS, "voi")
    assert shown is not None
    assert [axis.name for axis in shown.up] == ["aji", "voi"], "a count of objects has no better side"
    assert shown.start == 1
    parameters, *_ = shown.fronts
    assert [front.models for front in parameters] == [[2, 0], [1]], "in VOI lower is better, and equal costs less"
    assert [shown.names[model] for model in parameters[0].models] == ["distilled", "teacher"]
    left, right = (shown.across[0].models[model].mean for model in (2, 0))
    low, high = (shown.up[0].models[model].mean for model in (2, 0))
    assert parameters[0].path == f"M{left:g} 100V{low:g}H{right:g}V{high:g}H100"
    assert json.loads(json.dumps(shown.to_dict()))["names"] == list(SCORES)


def test_a_cost_that_is_not_known_of_all_is_no_axis() -> None:
    shown = tradeoff(SCORES, COSTS | {"alone": [a_cost(300_000, 0.3), a_cost(300_000, None)]}, "aji")
    assert shown is not None
    assert [axis.name for axis in shown.across] == ["parameters", "multiply-adds (G)", "megabytes on disk"]


def test_nothing_to_draw() -> None:
    assert tradeoff({}, {}, "aji") is None
    assert tradeoff(SCORES, {"teacher": [{"parameters": None}]}, "aji") is None


def test_every_model_has_its_colour_and_shape() -> None:
    many = {f"model {number}": SCORES["teacher"] for number in range(9)}
    shown = tradeoff(many, dict.fromkeys(many, COSTS["teacher"]), "aji")
    assert shown is not None
    marks = shown.marks()
    assert len({(mark["colour"], mark["shape"]) for mark in marks}) == 9
    assert marks[0]["colour"] == "var(--blue)"
    assert [front.models for front in shown.fronts[0]] == [list(range(9))] * 2, "equal models are on it together"
