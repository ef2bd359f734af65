"""The Pareto front is what a comparison of all with all leaves over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segraft.reporting.pareto import pareto_front

FEW = st.integers(0, 5)
"""So that many are equal in one of both, or in both."""


@given(st.lists(st.tuples(FEW, FEW), max_size=12))
def test_the_front_is_whatever_nothing_dominates(points: list[tuple[int, int]]) -> None:
    front = pareto_front([cost for cost, _ in points], [rank for _, rank in points])

    def dominated(cost: int, rank: int) -> bool:
        return any(c <= cost and r >= rank and (c, r) != (cost, rank) for c, r in points)

    assert sorted(front) == [index for index, point in enumerate(points) if not dominated(*point)]
    along = [points[index] for index in front]
    assert along == sorted(along), "from the cheapest and worst to the dearest and best"


def test_teacher_and_students() -> None:
    costs, ranks = [33.6, 0.3, 0.3, 40.0], [0.89, 0.84, 0.87, 0.88]
    assert pareto_front(costs, ranks) == [2, 0]
    assert pareto_front([], []) == []
