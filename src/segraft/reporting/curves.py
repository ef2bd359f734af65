"""Curves of loss terms and scores, one small figure per name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from segraft.reporting.figures import INK, look, marker, panel, svg
from segraft.run_folder import TUNED

History = Sequence[Mapping[str, Any]]
"""Lines of a run's ``metrics.jsonl``."""
Curve = tuple[list[int], list[float]]
Curves = dict[str, dict[str, list[Curve]]]
"""Steps and values of the runs of a model, by what is drawn, then by model."""
PANEL = (3.15, 2.15)
"""Inches."""
MOST = 400
"""Points of a curve that are drawn; more cannot be seen, and would make the page heavy."""


def term_curves(histories: Mapping[str, Sequence[History]]) -> Curves:
    """Unweighted loss terms of the runs of each model."""
    return _curves(histories, lambda line: {} if "val" in line or TUNED in line else line, ("step", "seconds"))


def score_curves(histories: Mapping[str, Sequence[History]], names: Sequence[str]) -> Curves:
    """Scores on the validation images of the runs of each model."""

    def scores(line: Mapping[str, Any]) -> dict[str, float]:
        if "val" not in line or TUNED in line:  # a point of a curve belongs to a step, and not to what came after
            return {}
        return {name: line["val"][name] for name in names if name in line["val"]}

    return _curves(histories, scores, ())


def _curves(
    histories: Mapping[str, Sequence[History]],
    values_of: Callable[[Mapping[str, Any]], Mapping[str, float]],
    besides: Sequence[str],
) -> Curves:
    curves: Curves = {}
    for model, runs in histories.items():
        for history in runs:
            of_run: dict[str, Curve] = {}
            for line in history:
                for name, value in values_of(line).items():
                    if name not in besides and math.isfinite(value):
                        steps, values = of_run.setdefault(name, ([], []))
                        steps.append(line["step"])
                        values.append(value)
            for name, curve in of_run.items():
                curves.setdefault(name, {}).setdefault(model, []).append(curve)
    return curves


def draw(curves: Curves, models: Sequence[str], falling: bool) -> list[str]:
    """Draw one figure per name with a curve per run, as SVG elements; runs of one model look alike.

    ``falling`` curves (losses) are smoothed over the noisy ones and have a logarithmic axis where all are positive.
    """
    figures = []
    for name, by_model in curves.items():
        figure, axes = panel(name, PANEL)
        axes.set_xlabel("step", fontsize=8, color=INK)
        for model, runs in by_model.items():
            for curve in runs:
                _draw_curve(axes, curve, models.index(model), falling, alone=len(runs) == 1)
        drawn = [value for runs in by_model.values() for _, values in runs for value in values]
        if falling and min(drawn) > 0:
            axes.set_yscale("log")
        figures.append(svg(figure, f"{name} over the steps of training"))
    return figures


def _draw_curve(axes: Axes, curve: Curve, number: int, noisy: bool, alone: bool) -> None:
    """One run; of several runs of a model, thin lines without the noise."""
    steps, values = curve
    style = look(number) if alone else {**look(number), "linewidth": 1.0}
    if not noisy:
        axes.plot(*thinned(steps, values), **style, marker=marker(number), markersize=3.5 if alone else 2.5)
        return
    if alone:
        axes.plot(*thinned(steps, values), color=style["color"], linewidth=0.7, alpha=0.3)
    axes.plot(*thinned(steps, smooth(values)), **style)


def thinned(steps: Sequence[int], values: Sequence[float]) -> tuple[list[int], list[float]]:
    """Every n-th point of a curve, and the last one, so that about ``MOST`` are left."""
    every = math.ceil(len(steps) / MOST)
    chosen = [*range(0, len(steps) - 1, every), len(steps) - 1]
    return [steps[index] for index in chosen], [values[index] for index in chosen]


def smooth(values: Sequence[float], share: float = 0.08) -> list[float]:
    """Means of neighbours, each window up to ``share`` of the curve on both sides and symmetric up to the ends."""
    reach = round(share * len(values))
    means = []
    for index in range(len(values)):
        side = min(reach, index, len(values) - 1 - index)
        window = values[index - side : index + side + 1]
        means.append(math.fsum(window) / len(window))
    return means
