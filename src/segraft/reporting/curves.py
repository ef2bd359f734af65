"""Curves of a run's loss terms and scores as PNG files. Figures are drawn by Agg without matplotlib's global state."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

History = Sequence[Mapping[str, Any]]
"""Lines of a run's ``metrics.jsonl``."""
Curve = tuple[list[int], list[float]]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind readers tell apart, too."""
STYLES = ("-", "--", "-.", ":")
INK, GRID = "#37474f", "#e3e8ea"
PANEL = (3.15, 2.15)
"""Inches."""
COLUMNS = 4


def term_curves(histories: Mapping[str, History]) -> dict[str, dict[str, Curve]]:
    """Loss terms by name, then run: steps and unweighted values."""
    lines = {run: [line for line in history if "val" not in line] for run, history in histories.items()}
    return _curves(lines, ("step", "seconds"))


def score_curves(histories: Mapping[str, History], names: Sequence[str]) -> dict[str, dict[str, Curve]]:
    """Scores on the validation images by name, then run: steps and values."""
    lines = {
        run: [
            {"step": line["step"], **{name: line["val"][name] for name in names}} for line in history if "val" in line
        ]
        for run, history in histories.items()
    }
    return _curves(lines, ("step",))


def _curves(lines: Mapping[str, History], besides: Sequence[str]) -> dict[str, dict[str, Curve]]:
    curves: dict[str, dict[str, Curve]] = {}
    for run, history in lines.items():
        for line in history:
            for name, value in line.items():
                if name not in besides and math.isfinite(value):
                    steps, values = curves.setdefault(name, {}).setdefault(run, ([], []))
                    steps.append(line["step"])
                    values.append(value)
    return curves


def draw(curves: Mapping[str, Mapping[str, Curve]], runs: Sequence[str], falling: bool) -> bytes:
    """Draw one panel per name with a curve per run, as a PNG.

    ``falling`` curves (losses) are smoothed over the noisy ones and have a logarithmic axis where all are positive.
    """
    columns = min(COLUMNS, len(curves))
    rows = math.ceil(len(curves) / columns)
    figure = Figure((PANEL[0] * columns, PANEL[1] * rows + 0.45), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, by_run) in zip(panels, curves.items(), strict=False):
        for run, curve in by_run.items():
            _draw_curve(axes, curve, runs.index(run), falling)
        if falling and all(value > 0 for _, values in by_run.values() for value in values):
            axes.set_yscale("log")
        _dress(axes, name)
    for axes in panels[len(curves) :]:
        axes.set_axis_off()
    handles = [panels[0].plot([], [], **_look(number), label=run)[0] for number, run in enumerate(runs)]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(runs), frameon=False, labelcolor=INK)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _look(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number % len(STYLES)], "linewidth": 1.7}


def _draw_curve(axes: Axes, curve: Curve, number: int, noisy: bool) -> None:
    steps, values = curve
    if noisy:
        axes.plot(steps, values, color=_look(number)["color"], linewidth=0.7, alpha=0.3)
        axes.plot(steps, smooth(values), **_look(number))
    else:
        axes.plot(steps, values, **_look(number), marker="o", markersize=3.5)


def smooth(values: Sequence[float], share: float = 0.08) -> list[float]:
    """Means of neighbours, each window up to ``share`` of the curve on both sides and symmetric up to the ends."""
    reach = round(share * len(values))
    means = []
    for index in range(len(values)):
        side = min(reach, index, len(values) - 1 - index)
        window = values[index - side : index + side + 1]
        means.append(math.fsum(window) / len(window))
    return means


def _dress(axes: Axes, name: str) -> None:
    axes.set_title(name, fontsize=10, color=INK, loc="left")
    axes.set_xlabel("step", fontsize=8, color=INK)
    axes.tick_params(which="both", labelsize=8, colors=INK, length=2)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
