"""The memory bank's size K, and the images L drawn from it, against score and memory (Fig. 6 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from segraft.reporting.figures import COLOURS, GRID, INK, MARKERS

SIZE = (7.6, 5.2)
"""Inches."""
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
ROOM = 4
"""Factor that the axis of memory goes on beyond its smallest and its largest value."""
Point = tuple[int, "Banked"]
"""What is varied, and what came of it."""


@dataclass(frozen=True)
class Banked:
    """A point of the figure: what a memory bank was, took, and gave."""

    size: int
    """K."""
    samples: int
    """L."""
    score: tuple[float, float | None] | None
    """Mean and standard deviation over seeds; None where it was not measured."""
    published: int
    """Bytes of the published bank of that size."""
    own: int
    """Bytes of ours."""


def draw_memory(sizes: Sequence[Banked], samples: Sequence[Banked], score: str) -> Figure:
    """Draw the score above the memory, over K on the left, from ``sizes``, and over L on the right, from ``samples``.

    ``score`` is the label of its axis.
    """
    figure = Figure(SIZE, layout="constrained", facecolor="white")
    axes = figure.subplots(2, 2, sharex="col", sharey="row")
    most, held = max(each.samples for each in sizes), max(each.size for each in samples)
    _draw_column(
        tuple(axes[:, 0]), sorted((each.size, each) for each in sizes), f"L = {most} (at most K)", "K, images held"
    )
    _draw_column(
        tuple(axes[:, 1]), sorted((each.samples, each) for each in samples), f"K = {held}", "L, images drawn a step"
    )
    everything = [value for each in (*sizes, *samples) for value in (each.published, each.own)]
    axes[1, 0].set_ylim(min(everything) / ROOM, max(everything) * ROOM)
    axes[0, 0].set_ylabel(score, fontsize=9, color=INK)
    axes[1, 0].set_ylabel("memory of the bank", fontsize=9, color=INK)
    axes[1, 0].legend(fontsize=8, frameon=False, labelcolor=INK, loc="center right")
    return figure


def _draw_column(axes: Sequence[Axes], points: Sequence[Point], title: str, label: str) -> None:
    """Score above memory, over what is varied."""
    above, below = axes
    for each in axes:
        each.grid(color=GRID, linewidth=0.8)
        each.set_axisbelow(True)
        each.tick_params(which="both", labelsize=8, colors=INK, length=2)
        each.spines[:].set_color(GRID)
    above.set_title(title, fontsize=9.5, color=INK)
    below.set_xlabel(label, fontsize=9, color=INK)
    _draw_scores(above, points)
    _draw_bytes(below, points)
    below.set_xscale("log", base=2)
    below.xaxis.set_major_locator(FixedLocator([place for place, _ in points]))
    below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    below.xaxis.set_minor_locator(NullLocator())


def _draw_scores(axes: Axes, points: Sequence[Point]) -> None:
    """The measured ones, with a bar of one standard deviation where there are seeds; words where there is none."""
    known = [(place, each.score) for place, each in points if each.score is not None]
    if not known:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", fontsize=9, color=INK)
        return
    axes.errorbar(
        [place for place, _ in known],
        [mean for _, (mean, _) in known],
        yerr=[deviation or 0 for _, (_, deviation) in known] if any(each[1] for _, each in known) else None,
        color=COLOURS[2],
        marker=MARKERS[0],
        linewidth=1.7,
        capsize=3,
    )
    axes.margins(y=0.2)


def _draw_bytes(axes: Axes, points: Sequence[Point]) -> None:
    """Both banks, each with its largest value in words."""
    banks = {"published: whole embeddings": "published", "here: two Gram matrices an image": "own"}
    for number, (label, field) in enumerate(banks.items()):
        places = [place for place, _ in points]
        values = [getattr(each, field) for _, each in points]
        axes.plot(places, values, color=COLOURS[number], marker=MARKERS[number], linewidth=1.7, label=label)
        for place, value in {places[0]: values[0], places[-1]: values[-1]}.items():
            axes.annotate(
                in_words(value),
                (place, value),
                (0, 6),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
                color=INK,
            )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: in_words(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.12)


def in_words(count: float | int) -> str:
    """Bytes in a unit that suits them."""
    for unit, name in UNITS:
        if count >= unit:
            return f"{count / unit:.3g} {name}"
    return f"{count:.3g} B"
