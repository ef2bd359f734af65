"""The picture that matters: what models score against what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, Formatter, LogLocator, NullFormatter, StrMethodFormatter

from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import spread
from segraft.reporting.figures import INK, look, marker, panel, svg

PANEL = (4.4, 2.9)
"""Inches."""
ROOM = 1.7
"""Factor that the cost axis goes on beyond the cheapest and the dearest model."""
FEW_DECADES = 2.5
"""Width of a cost axis, in powers of ten, up to which it has marks between those."""


@dataclass(frozen=True)
class Point:
    """What a model scores and costs, one value per seed: seconds from array to labels, and parameters."""

    scores: Sequence[float | int]
    seconds: Sequence[float | int]
    parameters: Sequence[float | int]


@dataclass(frozen=True)
class Cost:
    """One axis of costs: its label, where a point lies on it, and how its marks are written."""

    label: str
    of: Callable[[Point], Sequence[float | int]]
    marks: Formatter


def draw_tradeoff(points: Mapping[str, Point], score: str) -> list[str]:
    """Draw a score against milliseconds and against parameters, as SVG elements; better is always up and left.

    A model is one point at its mean over seeds, with a bar of one standard deviation to both sides, and a faint dot
    for each seed.
    """
    costs = (
        Cost("milliseconds from array to labels", _milliseconds, StrMethodFormatter("{x:,g}")),
        Cost("parameters", lambda point: point.parameters, EngFormatter()),
    )
    return [_against(cost, points, score) for cost in costs]


def _milliseconds(point: Point) -> list[float]:
    return [1e3 * seconds for seconds in point.seconds]


def _against(cost: Cost, points: Mapping[str, Point], score: str) -> str:
    lower = SCORES[score].better == "lower"
    figure, axes = panel(f"{score.upper()} {'(lower is better, above)' if lower else '↑'}", PANEL)
    axes.set_xlabel(f"{cost.label} ←", fontsize=9, color=INK)
    for number, point in enumerate(points.values()):
        _draw_point(axes, cost.of(point), point.scores, number)
    _scale(axes, [value for point in points.values() for value in cost.of(point)], cost.marks)
    axes.margins(y=0.15)
    if lower:
        axes.invert_yaxis()
    return svg(figure, f"{score.upper()} of each model against {cost.label}")


def _draw_point(axes: Axes, costs: Sequence[float | int], scores: Sequence[float | int], number: int) -> None:
    (cost, cost_spread), (score, score_spread) = spread(costs), spread(scores)
    colour = look(number)["color"]
    if len(scores) > 1:
        axes.plot(costs, scores, color=colour, linestyle="none", marker="o", markersize=3, alpha=0.4)
    axes.errorbar(
        [cost],
        [score],
        xerr=cost_spread or None,  # a bar of no length would have caps
        yerr=score_spread or None,
        color=colour,
        marker=marker(number),
        markersize=7,
        capsize=3,
        elinewidth=1.4,
    )


def _scale(axes: Axes, costs: Sequence[float | int], marks: Formatter) -> None:
    """A logarithmic axis of costs with room at both ends, and marks that can be read."""
    low, high = min(costs) / ROOM, max(costs) * ROOM
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    few = math.log10(high / low) < FEW_DECADES
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axes.xaxis.set_major_formatter(marks)
    axes.xaxis.set_minor_formatter(NullFormatter())
