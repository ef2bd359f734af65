"""Which runs share a mean, and which never do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.paper import RECIPES
from segraft.paper.gathering import gather, grouped, same_budget
from segraft.paper.results import Spent
from shared.results import fake

NAME = "table2-bbbc039-resunet-tiny-none"
LONG = Spent(training="package", steps=2000, patch=(256, 256), batch=4, rate=0.003)
budgets = st.tuples(
    st.sampled_from(["recipe", "package", "adopted"]), st.sampled_from([20, 2000]), st.sampled_from([0.001, 0.003])
)


def spent(budget: tuple[str, int, float]) -> Spent:
    training, steps, rate = budget
    return replace(LONG, training=training, steps=steps, rate=rate)


def test_only_seeds_share_a_mean(tmp_path: Path) -> None:
    for seed in (1, 2):
        fake(tmp_path, NAME, 0.5, seed=seed, spent=LONG, images=4)
    fake(tmp_path, NAME, 0.9, seed=3, spent=LONG, images=3)
    fake(tmp_path, NAME, 0.9, seed=4, spent=replace(LONG, steps=20), images=4)
    fake(tmp_path, NAME, 0.9, seed=5, spent=replace(LONG, teacher="other"), images=4)
    groups = grouped(gather(tmp_path).runs, NAME)
    assert [group.seeds for group in groups] == [(1, 2), (3,), (5,), (4,)]
    assert [len(group.images) for group in groups] == [4, 3, 4, 4]
    column = RECIPES[NAME].columns[0]
    assert groups[0].values(column, "ours") == [0.52, 0.52]
    assert list(groups[0].by_image(column, "paper").values()) == pytest.approx([0.605, 0.615, 0.625, 0.635])
    assert grouped(gather(tmp_path).runs, "table2-bbbc039-resunet-tiny-graph") == []


def test_a_copy_of_a_run_does_not_count_twice(tmp_path: Path) -> None:
    for runs in ("a", "b"):
        fake(tmp_path / runs, NAME, 0.5, seed=1)
    fake(tmp_path / "c", NAME, 0.7, seed=2)
    for number, path in enumerate(sorted(tmp_path.glob("*/*"))):
        path.rename(tmp_path / f"run-{number}")
    (group,) = grouped(gather(tmp_path).runs, NAME)
    assert group.seeds == (1, 2)
    assert [run.folder.name for run in group.copies] == ["run-1"]


def test_what_cannot_be_read_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    fake(tmp_path, NAME, 0.5)
    damaged = ("", "{", "[]", '{"recipe": "a"}', '{"scores": {"ours": {"mutex": {"aji": NaN}}}, "images": {}}')
    for number, text in enumerate(damaged):
        (tmp_path / f"broken-{number}").mkdir()
        (tmp_path / f"broken-{number}" / "scores.json").write_text(text)
    foreign = fake(tmp_path, NAME, 0.5, seed=1)
    path = next(tmp_path.glob("*-1-*/scores.json"))
    path.write_text(path.read_text().replace(f'"{foreign.recipe}"', '"table1-cvppp-resunet"'))
    found = gather(tmp_path)
    assert len(found.runs) == 1
    assert len(found.damaged) == len(damaged)
    assert all("delete it and run the recipe again" in line and "\n" not in line for line in found.damaged)
    (line,) = found.foreign
    assert "is of the recipe table1-cvppp-resunet, which there is not" in line
    assert gather(tmp_path / "nothing").runs == ()


@given(budgets, budgets)
def test_budgets_are_the_same_whatever_their_order(
    first: tuple[str, int, float], second: tuple[str, int, float]
) -> None:
    one, other = spent(first), spent(second)
    assert same_budget(1.0, one, 1.0, one)
    assert same_budget(1.0, one, 1.0, other) == same_budget(1.0, other, 1.0, one)
    assert not same_budget(0.1, one, 1.0, other)
    assert same_budget(1.0, one, 1.0, replace(one, teacher="any", filters=(4, 8)))
    if one.steps != other.steps or one.rate != other.rate:
        assert not same_budget(1.0, one, 1.0, other)


def test_what_an_adopted_model_does_not_tell_is_taken_for_the_same() -> None:
    adopted = replace(LONG, training="adopted", rate=None)
    assert same_budget(1.0, adopted, 1.0, LONG)
    assert not same_budget(1.0, adopted, 1.0, replace(LONG, batch=2))
    assert not same_budget(1.0, replace(adopted, steps=None), 1.0, replace(adopted, steps=None)), "unknown is not equal"
    assert not same_budget(1.0, replace(LONG, training="recipe"), 1.0, LONG)
    assert same_budget(1.0, None, 1.0, None)
    assert not same_budget(1.0, None, 1.0, LONG)
