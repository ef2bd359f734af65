"""Answers to a question: panels of what was measured, with spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from segraft.metrics.scoring import spread
from segraft.paper.questions.question import Panel
from segraft.paper.questions.rows import Points, Results
from segraft.reporting.figures import GRID, INK, look, marker

WIDTH, HEIGHT = 4.4, 3.6
"""Inches of a panel."""
BESIDE = 0.12
"""How far series stand from one another over words, which are 1 apart."""
FEW = 8
"""Ticks that have room."""
LEGEND, COLUMNS = 0.2, 3
"""Inches of a line of the legend, and its columns."""
Placed = dict[int | float, list[float]]
"""Values of y by the place on the axis."""


def draw_answers(results: Results) -> Figure:
    """Draw the panels of a question side by side; a series has one colour in all of them.

    Means over seeds have a bar of one standard deviation; a panel of points has one for each row.
    """
    panels = results.question.panels
    names = list(dict.fromkeys(name for panel in panels for name in (*results.series(panel), *results.levels(panel))))
    height = HEIGHT + LEGEND * math.ceil(len(names) / COLUMNS)
    figure = Figure((WIDTH * len(panels), height), layout="constrained", facecolor="white")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw(axes, panel, results, names)
    drawn: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        drawn |= dict(zip(labels, handles, strict=True))
    if drawn:
        figure.legend(
            drawn.values(), drawn, loc="outside lower left", ncols=COLUMNS, fontsize=8, frameon=False, labelcolor=INK
        )
    return figure


def _draw(axes: Axes, panel: Panel, results: Results, names: Sequence[str]) -> None:
    """Draw one panel; without any result it says so."""
    axes.set_title(panel.title, fontsize=9.5, color=INK, loc="left")
    axes.set_xlabel(panel.xlabel, fontsize=8.5, color=INK)
    axes.set_ylabel(panel.ylabel, fontsize=8.5, color=INK)
    axes.tick_params(which="both", labelsize=8, colors=INK, length=2)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_color(GRID)
    series = results.series(panel)
    words = list(dict.fromkeys(x for points in series.values() for x in points if isinstance(x, str)))
    for number, (name, points) in enumerate(series.items()):
        beside = BESIDE * (number - (len(series) - 1) / 2)
        placed = {words.index(x) + beside if isinstance(x, str) else x: values for x, values in points.items()}
        _draw_series(axes, panel, name, placed, names.index(name), bool(words))
    for name, values in results.levels(panel).items():
        axes.axhline(spread(values)[0], label=name, **{**look(names.index(name)), "linestyle": ":"})
    if not series:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", fontsize=9, color=INK)
    elif words:
        axes.set_xticks(range(len(words)), words)
        axes.margins(x=0.2)
    elif not panel.points:
        _set_ticks(axes, panel, series.values())


def _draw_series(axes: Axes, panel: Panel, name: str, points: Placed, number: int, words: bool) -> None:
    """Points, means joined by a line, or, over words, means that are not joined."""
    style = {"color": look(number)["color"], "marker": marker(number), "label": name}
    if panel.points:
        pairs = [(x, y) for x, values in points.items() for y in values]
        axes.plot([x for x, _ in pairs], [y for _, y in pairs], linestyle="none", markersize=5, **style)
        return
    spreads = [spread(values) for values in points.values()]
    axes.errorbar(
        list(points),
        [mean for mean, _ in spreads],
        yerr=[deviation or 0 for _, deviation in spreads],
        linestyle="none" if words else look(number)["linestyle"],
        linewidth=1.6,
        markersize=5,
        capsize=3,
        **style,
    )


def _set_ticks(axes: Axes, panel: Panel, series: Iterable[Points]) -> None:
    """A tick at each x of a few; numbers that double are as far apart as all others that do."""
    numbers = sorted({x for points in series for x in points if not isinstance(x, str)})
    if panel.log:
        axes.set_xscale("log", base=2)
    if len(numbers) <= FEW:
        axes.xaxis.set_major_locator(FixedLocator(numbers))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
