"""Axes: places in percent, better to the left or above, marks at round numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.metrics.scores import SCORES
from segraft.reporting.axes import COSTS, MOST_MARKS, Axis, cost_axis, log_marks, score_axis

COSTLY = st.floats(1e-4, 1e12)
SCORED = st.floats(0, 1)


def runs(values: st.SearchStrategy[float]) -> st.SearchStrategy[list[list[float]]]:
    """Values of one to three seeds of one to four models."""
    return st.lists(st.lists(values, min_size=1, max_size=3), min_size=1, max_size=4)


def check(axis: Axis) -> None:
    """Everything lies on the axis, and it can be read."""
    assert axis.marks
    places = [at for at, _ in axis.marks]
    for model in axis.models:
        places += [model.mean, *(model.bar or ()), *model.seeds]
    assert all(0 <= place <= 100 for place in places)
    texts = [text for _, text in axis.marks]
    assert len(set(texts)) == len(texts)


@given(runs(COSTLY))
def test_cheaper_is_further_left(values: list[list[float]]) -> None:
    axis = cost_axis(COSTS["parameters"], values)
    check(axis)
    assert len(axis.marks) <= MOST_MARKS
    means = [sum(of_model) / len(of_model) for of_model in values]
    assert axis.models[means.index(min(means))].mean == min(model.mean for model in axis.models)


@given(runs(SCORED), st.sampled_from(["aji", "voi", "dic"]))
def test_better_is_further_up(values: list[list[float]], name: str) -> None:
    score = SCORES[name]
    axis = score_axis(name, score, values)
    check(axis)
    means = [score.rank(sum(of_model) / len(of_model)) for of_model in values]
    assert axis.models[means.index(max(means))].mean == min(model.mean for model in axis.models)
    assert axis.better == f"↑ {score.better} is better"


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (176e3, 57e6, [3e5, 1e6, 3e6, 1e7, 3e7]),
        (150.0, 800.0, [200, 500]),
        (0.9, 21.0, [1, 2, 5, 10, 20]),
        (1.0, 1e9, [1, 100, 1e4, 1e6, 1e8]),
    ],
)
def test_marks_are_round_and_few(low: float, high: float, marks: list[float]) -> None:
    assert log_marks(low, high) == pytest.approx(marks)


def test_equal_scores_are_in_the_middle() -> None:
    axis = score_axis("aji", SCORES["aji"], [[0.8], [0.8 + 1e-12]])
    check(axis)
    assert [model.mean for model in axis.models] == [50.0, 50.0]


def test_costs_have_their_units() -> None:
    assert cost_axis(COSTS["parameters"], [[2_345_678]]).models[0].text == "2,345,678"
    assert cost_axis(COSTS["macs"], [[19_600_000_000]]).models[0].text == "19.6 G"
    assert cost_axis(COSTS["file"], [[1_204_000]]).models[0].text == "1.20 MB"
    assert cost_axis(COSTS["total"], [[0.1, 0.2]]).models[0].text == "150.0 ± 70.7 ms"
    assert "1 M" in [text for _, text in cost_axis(COSTS["parameters"], [[9e5], [4e6]]).marks]


def test_bars_are_the_spread_over_seeds() -> None:
    one, two, same = score_axis("aji", SCORES["aji"], [[0.5], [0.5, 0.7], [0.6, 0.6]]).models
    assert (one.bar, one.seeds) == (None, [])
    assert two.bar is not None
    assert two.mean == pytest.approx(sum(two.bar) / 2)
    assert len(two.seeds) == 2
    assert two.text == "0.6000 ± 0.1414"
    assert same.bar is None
    assert same.seeds == [same.mean] * 2


def test_no_mark_beyond_what_a_ratio_can_be() -> None:
    texts = [text for _, text in score_axis("aji", SCORES["aji"], [[0.0], [1.0]]).marks]
    assert (texts[0], texts[-1]) == ("0.0", "0.9"), "the axis goes from -0.15 to 1.15"
