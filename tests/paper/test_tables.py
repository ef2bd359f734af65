"""Tables and Fig. 6: every row is a recipe, every recipe a row, every published value in its place."""

from __future__ import annotations

from collections import Counter

import pytest

from segraft.metrics.scores import SCORES
from segraft.paper import FIGURES, RECIPES, TABLES
from segraft.paper.published import published, values

ALL = {**{f"table{number}": table for number, table in TABLES.items()}, "fig6": FIGURES[6]}


def test_rows_are_recipes_that_have_the_columns() -> None:
    assert list(TABLES) == [1, 2, 3, 4, 5, 6]
    for table in ALL.values():
        for part in table.parts:
            for name in part.rows.values():
                recipe = RECIPES[name]
                assert recipe.columns == part.columns
                assert recipe.settings.dataset == part.dataset
                assert {column.segmentation for column in part.columns} <= set(recipe.segmentations)
            assert all(column.metric in SCORES for column in part.columns)


def test_every_recipe_is_a_row_of_its_place_and_no_row_is_lost() -> None:
    for place, table in ALL.items():
        own = {name for name, recipe in RECIPES.items() if recipe.place == place}
        assert own <= set(table.recipes)
    assert {recipe.place for recipe in RECIPES.values()} == set(ALL) - {"table1"}


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
def test_every_published_score_belongs_to_one_row(number: int) -> None:
    """Of Tables IV to VI some rows are those of Table II; the value is the same there."""
    scores = [each for each in values(number) if each.metric not in ("params_M", "flops_GMAC")]
    rows = [name for part in TABLES[number].parts if part.in_paper for name in part.rows.values()]
    assert len(scores) == sum(len(RECIPES[name].columns) for name in rows)
    if number < 4:
        told = Counter(id(each) for name in rows for each in RECIPES[name].published.values())
        assert told == Counter(map(id, scores))
    else:
        digits = [each.digits for name in rows for each in RECIPES[name].published.values()]
        assert digits == [each.digits for each in scores]


def test_what_is_not_in_the_paper_has_no_published_scores() -> None:
    for table in ALL.values():
        for part in table.parts:
            assert part.in_paper or "in place of" in part.title
    for recipe in RECIPES.values():
        assert bool(recipe.published) == (not recipe.stands_for and recipe.place != "fig6")


def test_dice_is_what_the_released_code_prints() -> None:
    (objects,) = (part for part in TABLES[2].parts if part.title == "BBBC039V1")
    assert {column.title: column.metric for column in objects.columns} == {
        "AJI": "aji",
        "Dice": "f1",
        "F1": "dice",
        "PQ": "pq",
    }


def test_rows_of_table_6_have_the_papers_names() -> None:
    rows = TABLES[6].parts[0].rows
    assert list(rows) == [f"S{part}, {how}" for part in ("1/20", "1/15", "1/10", "1/5") for how in ("alone", "Ours")]
    for label, name in rows.items():
        width = published(6, "params_M", width_of_teacher=label[1:].split(",")[0], method="none")
        assert RECIPES[name].settings.width == {"0.07": 2, "0.17": 3, "0.30": None, "0.90": 7}[width.digits]
