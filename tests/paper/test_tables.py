"""Tables: every row is a recipe, every recipe is in a table, and columns have their true names."""

from __future__ import annotations

from segraft.metrics.scores import SCORES
from segraft.paper import RECIPES, TABLES


def test_rows_are_recipes_that_have_the_columns() -> None:
    assert list(TABLES) == [1, 2, 3, 4, 5, 6]
    for table in TABLES.values():
        for name in table.rows.values():
            assert {column.segmentation for column in table.columns} == set(RECIPES[name].segmentations)
        assert all(column.metric in SCORES for column in table.columns)


def test_every_recipe_is_a_row_of_its_table_and_no_row_is_lost() -> None:
    for number, table in TABLES.items():
        own = {name for name, recipe in RECIPES.items() if recipe.table == number}
        assert own <= set(table.rows.values())
    assert {recipe.table for recipe in RECIPES.values()} == set(TABLES)


def test_dice_is_what_the_released_code_prints() -> None:
    assert {column.title: column.metric for column in TABLES[2].columns} == {
        "AJI": "aji",
        "Dice": "f1",
        "F1": "dice",
        "PQ": "pq",
    }
