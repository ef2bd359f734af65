"""Budgets: what they change, and how that is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.networks import pyramid
from segraft.paper import RECIPES
from segraft.paper.budget import EXPERIMENT, Budget, differences, told_differences
from segraft.settings import TrainSettings
from segraft.weights import GRAPH_WEIGHTS

NAMES = st.sampled_from(list(RECIPES))


@given(NAMES)
def test_without_a_budget_nothing_differs(name: str) -> None:
    recipe = RECIPES[name]
    assert Budget().settings(recipe) == recipe.settings
    assert differences(recipe.settings, recipe) == []
    assert Budget().ending(recipe) == ""


@given(NAMES, st.integers(1, 10_000))
def test_what_is_given_holds_and_all_else_stays(name: str, steps: int) -> None:
    recipe = RECIPES[name]
    settings = Budget(steps=steps, batch=3, rate=0.5).settings(recipe)
    assert (settings.steps, settings.batch, settings.rate) == (steps, 3, 0.5)
    assert settings.validate_every <= max(1, -(-steps // 10))
    told = [f"{steps} of 300000 steps", "batch 3, not 2", "rate 0.5, not 0.0001"]
    assert sorted(differences(settings, recipe)) == sorted(told)


def test_a_scale_is_told() -> None:
    teacher, student = (RECIPES[f"table2-cvppp-{name}"] for name in ("resunet", "resunet-tiny-graph"))
    said = ["crops of 80x80, not 544x544", "30000 of 300000 steps"]
    assert set(differences(Budget(scale=0.1).settings(student), student)) == set(said)
    filters = "filters 10x20x57x110x215"
    assert set(differences(Budget(scale=0.1).settings(teacher), teacher)) == {*said, filters}


def test_a_width_is_the_teachers() -> None:
    budget = Budget(teacher_width=8)
    teacher, student = (RECIPES[f"table2-bbbc039-{name}"] for name in ("resunet", "resunet-tiny-graph"))
    assert budget.settings(teacher).filters == pyramid("resunet", 8)
    assert budget.settings(student) == student.settings


def test_a_pool_is_that_of_students_with_a_teacher() -> None:
    budget = Budget(cache=400)
    alone, student = (RECIPES[f"table2-bbbc039-resunet-tiny-{name}"] for name in ("none", "at"))
    assert budget.settings(alone) == alone.settings
    assert budget.ending(alone) == ""
    settings = budget.settings(student)
    assert settings == replace(student.settings, cache=400)
    assert differences(settings, student) == ["a pool of 400 patches"]
    assert budget.ending(student) == "-cache-400"


def test_names_that_there_are_not_are_refused() -> None:
    assert Budget.of({"steps": 3, "cache": 2}) == Budget(steps=3, cache=2)
    with pytest.raises(UserError, match="unknown option 'stepps'"):
        Budget.of({"stepps": 3})


@given(NAMES)
def test_the_packages_training_keeps_the_experiment(name: str) -> None:
    recipe = RECIPES[name]
    settings, own = (
        Budget(training="package").settings(recipe),
        recipe.settings.for_dimension(len(recipe.settings.patch)),
    )
    assert all(getattr(settings, each) == getattr(own, each) for each in EXPERIMENT if hasattr(own, each))
    usual = TrainSettings(dataset="x", out=settings.out)
    assert (settings.steps, settings.rate, settings.schedule) == (usual.steps, usual.rate, usual.schedule)
    assert settings.weights["affinity"] == 1


def test_weights_count_once_in_the_packages_training() -> None:
    full, row, biskd = (
        Budget(training="package").settings(RECIPES[f"table{name}"]).term_weights()
        for name in ("2-cvppp-mobilenet-graph", "4-cvppp-mobilenet-row-2", "2-cvppp-mobilenet-biskd")
    )
    assert full == GRAPH_WEIGHTS | {"affinity": 1.0, "foreground": 1.0}
    assert [name for name in GRAPH_WEIGHTS if row[name]] == ["intra_node"]
    assert biskd["intra_affinity"] == 20


def test_what_a_file_tells_is_compared() -> None:
    recipe = RECIPES["table2-bbbc039-resunet"]
    told = {"steps": 2922, "patch": [256, 256], "batch": 8, "threads": 1}
    said = ["crops of 256x256, not 512x512", "batch 8, not 2", "2922 of 300000 steps"]
    assert told_differences(told, recipe) == said
    assert told_differences({}, recipe) == []


@pytest.mark.parametrize("name", ["table3-ac34-mala", "table3-ac34-mala-tiny-graph"])
def test_volumes_keep_three_offsets(name: str) -> None:
    assert Budget(training="package").settings(RECIPES[name]).offsets == "3d"
