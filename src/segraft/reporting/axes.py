"""Axes of the page's picture: where marks and models lie on them, in percent, and what is written there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from matplotlib.ticker import EngFormatter, MaxNLocator

from segraft.metrics.scores import Score
from segraft.metrics.scoring import spread
from segraft.reporting.tables import score_text

Values = Sequence[Sequence[float | int]]
"""A value per seed of each model."""
ROOM = 1.7
"""Factor that a cost axis goes on beyond the cheapest and the dearest model."""
MARGIN = 0.15
"""Share of its range that a score axis goes on beyond the best and the worst."""
DIFFERENT = 1e-4
"""The smallest difference of scores that is shown; closer ones are one point in the middle of the axis."""
MOST_MARKS = 6
"""On one axis; more would touch on a phone."""
STEPS: tuple[tuple[int, ...], ...] = ((1, 2, 5), (1, 3), (1,))
"""Marks within a power of ten, from dense to sparse."""


@dataclass(frozen=True)
class Cost:
    """A cost to compare by: its name, the factor from what ``measure`` returns, how values and marks are written."""

    name: str
    factor: float
    format: str
    unit: str
    mark: Callable[[float], str]

    def tell(self, values: Sequence[float | int]) -> str:
        """Values over seeds as text: the mean, with the standard deviation if there is any."""
        mean, deviation = spread(values)
        told = [mean, deviation] if deviation else [mean]
        return " ± ".join(f"{value:{self.format}}" for value in told) + self.unit


COSTS = {
    "parameters": Cost("parameters", 1.0, ",.0f", "", EngFormatter()),
    "macs": Cost("multiply-adds (G)", 1e-9, ",.3g", " G", "{:,g}".format),
    "total": Cost("milliseconds per image", 1e3, ",.1f", " ms", "{:,g}".format),
    "file": Cost("megabytes on disk", 1e-6, ",.2f", " MB", "{:,g}".format),
}
"""By the name under which ``segraft.model.benchmarking.measure`` returns them."""


@dataclass(frozen=True)
class Place:
    """A model on an axis, in percent of its length: the mean, both ends of one standard deviation, and the seeds."""

    mean: float
    bar: tuple[float, float] | None
    seeds: list[float]
    text: str


@dataclass(frozen=True)
class Axis:
    """An axis that runs from the left, or from the top: its name, which side is better, its marks and its models."""

    name: str
    better: str
    marks: list[tuple[float, str]]
    models: list[Place]


def cost_axis(cost: Cost, measured: Values) -> Axis:
    """A logarithmic axis with room at both ends; ``measured`` is positive."""
    values = [[cost.factor * value for value in of_model] for of_model in measured]
    low, high = min(map(min, values)) / ROOM, max(map(max, values)) * ROOM

    def place(value: float) -> float:
        return _percent(math.log(max(value, low) / low) / math.log(high / low))

    marks = [(place(value), cost.mark(value)) for value in log_marks(low, high)]
    return Axis(cost.name, "← less is better", marks, [_place(each, place, cost.tell(each)) for each in values])


def score_axis(name: str, score: Score, values: Values) -> Axis:
    """A linear axis on which better is nearer to the top, also where lower is better."""
    ends = [mean + side * (deviation or 0) for mean, deviation in map(spread, values) for side in (-1, 1)]
    ends += [value for of_model in values for value in of_model]
    width = max(ends) - min(ends)
    if width < DIFFERENT:
        width = max(abs(max(ends)), 0.1)
    low, high = min(ends) - MARGIN * width, max(ends) + MARGIN * width

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return _percent(share if score.better == "lower" else 1 - share)

    most = 1 if score.kind == "ratio" else math.inf
    marks = [value for value in MaxNLocator(5).tick_values(low, high) if low <= value <= high and 0 <= value <= most]
    return Axis(
        name,
        f"↑ {score.better} is better",
        [(place(value), text) for value, text in zip(marks, _alike(marks), strict=True)],
        [_place(each, place, score_text(score, each)) for each in values],
    )


def log_marks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones, ``MOST_MARKS`` at most, as many of them as that allows."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    powers = range(first, last + 1)
    sparse = -(-len(powers) // MOST_MARKS)
    choices = [[step * 10.0**power for power in powers for step in steps] for steps in STEPS]
    choices.append([10.0**power for power in powers[::sparse]])
    within = ([value for value in values if low <= value <= high] for values in choices)
    return next(values for values in within if len(values) <= MOST_MARKS)


def _place(values: Sequence[float | int], place: Callable[[float], float], text: str) -> Place:
    mean, deviation = spread(values)
    bar = (place(mean - deviation), place(mean + deviation)) if deviation else None
    return Place(place(mean), bar, [place(value) for value in values] if len(values) > 1 else [], text)


def _percent(share: float) -> float:
    return round(100 * share, 2)


def _alike(marks: Iterable[float]) -> list[str]:
    """Numbers as text, all with as many decimals as the longest needs."""
    texts = [f"{mark:.6g}" for mark in marks]
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [f"{float(text):,.{decimals}f}" for text in texts]
