"""Gaps closed and gains over the student alone: laws, the paper's numbers, and what is not compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.files import digest
from segraft.paper import RECIPES, TABLES
from segraft.paper.columns import LEAVES, OBJECTS, PARTITIONS
from segraft.paper.comparison import Comparison, Line, alone_of, closed, published_gap
from segraft.paper.gathering import gather
from segraft.paper.results import Spent
from segraft.run_folder import RunFolder
from shared.results import fake

TEACHER, ALONE, OURS, AT = (
    f"table2-bbbc039-{end}" for end in ("resunet", *(f"resunet-tiny-{m}" for m in ("none", "graph", "at")))
)
SPENT = Spent(training="package", steps=2000, patch=(256, 256), batch=4, rate=0.003)
AJI, DICE = OBJECTS[:2]
SBD, DIC = LEAVES
VOI = PARTITIONS[0]
numbers = st.floats(0, 1, allow_nan=False)


@given(numbers, numbers, numbers)
def test_a_gap_is_the_same_where_lower_is_better(student: float, alone: float, teacher: float) -> None:
    higher, lower = closed(AJI, student, alone, teacher), closed(VOI, -student, -alone, -teacher)
    assert (higher is None) == (teacher <= alone)
    assert (lower is None) == (higher is None)
    if higher is not None and lower is not None:
        assert lower == pytest.approx(higher)
        assert closed(AJI, alone, alone, teacher) == 0
        assert closed(AJI, teacher, alone, teacher) == 1
    assert closed(AJI, None, alone, teacher) is None


@pytest.mark.parametrize(
    ("name", "column", "gap"),
    [
        (OURS, AJI, 0.559),  # SOURCE.md: by the table
        (OURS, DICE, 0.643),
        ("table2-bbbc039-mobilenet-graph", AJI, 0.210),  # the paper's text
        ("table2-bbbc010-mobilenet-graph", AJI, 0.463),
        ("table2-cvppp-resunet-tiny-graph", SBD, 0.761),
        ("table2-cvppp-resunet-tiny-graph", DIC, 1.0),  # lower is better
        ("table3-ac34-mala-tiny-graph", VOI, 0.932),
        ("table6-cvppp-resunet-tiny-width-7-graph", SBD, 0.714),
        ("table3-cremi-c-mala-tiny-graph", PARTITIONS[3], None),  # the teacher is worse than the student alone
        ("table2-bbbc010-resunet-tiny-graph-from-nested-unet", AJI, None),  # its teacher's AJI is missing
        (ALONE, AJI, None),
        (TEACHER, AJI, None),
    ],
)
def test_published_gaps(name: str, column: tuple[str, ...], gap: float | None) -> None:
    found, damaged = published_gap(RECIPES[name], column)  # type: ignore[arg-type]
    assert found == (None if gap is None else pytest.approx(gap, abs=5e-4))
    assert damaged == ("mobilenet" in name)


def test_students_alone_are_of_the_same_data_network_and_width() -> None:
    for name, recipe in RECIPES.items():
        alone = alone_of(name)
        assert (alone is None) == (recipe.teacher is None)
        if alone is not None:
            settings, other = recipe.settings, RECIPES[alone].settings
            assert (settings.dataset, settings.options) == (other.dataset, other.options)
            assert (settings.network, settings.width) == (other.network, other.width)
            assert RECIPES[alone].method == "none"


def line_of(comparison: Comparison, name: str) -> Line:
    part = next(part for part in TABLES[2].parts if part.name == "bbbc039")
    return next(line for line in comparison.lines(part) if line.recipe.name == name)


def test_measured_gaps_and_gains(tmp_path: Path) -> None:
    fake(tmp_path, TEACHER, 0.8, spent=replace(SPENT, steps=30), images=4)
    for seed in (1, 2):
        fake(tmp_path, ALONE, 0.4, seed=seed, spent=SPENT, images=4)
        fake(tmp_path, OURS, 0.6 + 0.1 * seed, seed=seed, spent=SPENT, images=4)
    comparison = Comparison(gather(tmp_path).runs)
    ours, alone = line_of(comparison, OURS), line_of(comparison, ALONE)
    assert comparison.gap(ours, AJI, "paper") == pytest.approx((0.75 - 0.4) / (0.8 - 0.4))
    assert comparison.gap(alone, AJI, "paper") is None
    assert comparison.difference(alone, AJI, "paper") is None
    assert comparison.difference(ours, AJI, "ours") == pytest.approx((0.35, 0.35, 0.35)), "every image gains as much"


def test_other_budgets_and_images_are_not_compared(tmp_path: Path) -> None:
    fake(tmp_path, TEACHER, 0.8, images=3)
    fake(tmp_path, ALONE, 0.4, spent=replace(SPENT, steps=20), images=4)
    fake(tmp_path, ALONE, 0.4, spent=SPENT, images=3)
    fake(tmp_path, OURS, 0.6, spent=SPENT, images=4)
    comparison = Comparison(gather(tmp_path).runs)
    ours = line_of(comparison, OURS)
    assert comparison.gap(ours, AJI, "paper") is None
    assert comparison.difference(ours, AJI, "paper") is None
    assert [line.group is not None for line in comparison.lines(ours.part) if line.recipe.name in (ALONE, AT)] == [
        True,
        True,
        False,
    ], "a line for each budget, and one for a recipe without a run"


def test_the_training_that_is_exactly_the_same_is_preferred(tmp_path: Path) -> None:
    fake(tmp_path, ALONE, 0.3, spent=replace(SPENT, training="adopted", rate=None))
    fake(tmp_path, ALONE, 0.4, spent=SPENT)
    for training, start in (("package", 0.4), ("adopted", 0.3)):
        fake(tmp_path / training, OURS, 0.6, spent=replace(SPENT, training=training))
        runs = (*gather(tmp_path).runs, *gather(tmp_path / training).runs)
        group = Comparison(runs).alone(line_of(Comparison(runs), OURS).group)  # type: ignore[arg-type]
        assert group is not None
        assert group.first.scores["ours"]["mutex"]["sbd"] == start


def test_the_teacher_is_the_one_that_the_student_had(tmp_path: Path) -> None:
    for steps in (10, 99):
        fake(tmp_path, TEACHER, 0.1 * steps, spent=replace(SPENT, steps=steps))
        folder = next(tmp_path.glob(f"{TEACHER}-*{steps} steps*"))
        RunFolder(folder).model.write_bytes(f"weights {steps}".encode())
    known = digest(RunFolder(folder).model)
    (tmp_path / "other").write_bytes(b"weights 10")
    for teacher, steps in ((known, 99), (digest(tmp_path / "other"), 10), (None, 99), ("not there", None)):
        fake(tmp_path / str(teacher), OURS, 0.6, spent=replace(SPENT, teacher=teacher))
        comparison = Comparison((*gather(tmp_path).runs, *gather(tmp_path / str(teacher)).runs))
        group = line_of(comparison, OURS).group
        assert group is not None
        found = comparison.teacher(group)
        assert (found and found.first.spent and found.first.spent.steps) == steps
