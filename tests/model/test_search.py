"""The search: it finds the best of hills, asks once for each candidate, and stays where nothing is better."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segraft.model.config import Segmentation
from segraft.model.search import Axis, search, values_of, with_values

AXES = [Axis.of(name) for name in ("foreground_threshold", "thickness", "minimum_size", "threshold")]
STARTS = st.builds(
    lambda twentieths, *rest: Segmentation("waterz", twentieths / 20, *rest),
    st.integers(0, 20),
    st.integers(0, 9).map(float),
    st.sampled_from([0, 5, 10, 31, 300]),
    st.just(False),
    st.sampled_from([0.0, 0.5, 1.0]).map(lambda value: {"threshold": value}),
)


def distance(one: Segmentation, other: Segmentation) -> float:
    """How far two segmentations are from each other; sizes by their ratio."""
    a, b = values_of(one), values_of(other)
    ratio = (a["minimum_size"] + 5) / (b["minimum_size"] + 5)
    rest = sum(abs(a[name] - b[name]) for name in ("foreground_threshold", "thickness", "threshold"))
    return rest + max(ratio, 1 / ratio)


@given(STARTS, STARTS)
def test_the_top_of_a_hill_is_found_from_anywhere(start: Segmentation, top: Segmentation) -> None:
    asked: list[str] = []

    def rate(candidate: Segmentation) -> float:
        asked.append(repr(values_of(candidate)))
        return -distance(candidate, top)

    best = search([start], AXES, rate)
    assert best.foreground_threshold == top.foreground_threshold
    assert best.thickness == top.thickness
    assert best.settings == top.settings
    assert len(asked) == len(set(asked)), "each candidate is tried once"
    for axis in AXES:
        for move in (axis.lower, axis.higher):
            value = move(values_of(best)[axis.name], 0.05)
            if value is not None:
                assert distance(with_values(best, {axis.name: value}), top) >= distance(best, top)


@given(STARTS)
def test_on_a_plain_nothing_changes(start: Segmentation) -> None:
    assert search([start], AXES, lambda _: 0.0) == start


@given(STARTS, st.sets(st.sampled_from([0.2, 0.35, 0.7, 0.9]), min_size=1))
def test_of_given_values_no_others_are_tried(start: Segmentation, values: set[float]) -> None:
    asked: list[float] = []

    def rate(candidate: Segmentation) -> float:
        asked.append(candidate.foreground_threshold)
        return candidate.foreground_threshold + candidate.thickness / 10 - abs(candidate.thickness - 4)

    starts = [with_values(start, {"foreground_threshold": value}) for value in sorted(values)]
    best = search(starts, [Axis.of("foreground_threshold", sorted(values)), Axis.of("thickness")], rate)
    assert set(asked) == values
    assert (best.foreground_threshold, best.thickness) == (max(values), 4)
