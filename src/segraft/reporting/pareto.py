"""The Pareto front: which models are worth their cost."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float | int], ranks: Sequence[float | int]) -> list[int]:
    """Indices of the points that no other one dominates, the cheapest first.

    A point dominates another if it costs no more and ranks no lower, and one of both is strict. Equal points are on the
    front together.

    Parameters
    ----------
    costs : of each point; less is better
    ranks : of each point; more is better
    """
    front: list[int] = []
    for index in sorted(range(len(costs)), key=lambda each: (costs[each], -ranks[each])):
        last = front[-1] if front else None
        if last is None or ranks[index] > ranks[last] or (costs[index], ranks[index]) == (costs[last], ranks[last]):
            front.append(index)
    return front
