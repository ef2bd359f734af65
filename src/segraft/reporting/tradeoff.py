"""The picture that matters: what models score against what they cost, for each score and each cost to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segraft.metrics.scoring import spread
from segraft.reporting.axes import COSTS, Axis, Values, cost_axis, score_axis
from segraft.reporting.figures import ink, marker_path
from segraft.reporting.pareto import pareto_front
from segraft.reporting.tables import Scores, common_scores

MARK = 6.0
"""Half the size of a mark, in pixels."""


@dataclass(frozen=True)
class Front:
    """Models on the Pareto front of two axes, by number from the cheapest on, and its line as a path in percent."""

    models: list[int]
    path: str


@dataclass(frozen=True)
class Tradeoff:
    """All that the picture can show; ``up`` of ``start`` is shown first, against the first of ``across``."""

    names: list[str]
    across: list[Axis]
    up: list[Axis]
    fronts: list[list[Front]]
    """By number of the axis across, then by number of the axis up."""
    start: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON for the page's script."""
        return asdict(self)

    def marks(self) -> list[dict[str, str]]:
        """Colour and shape of each model, the same as in all figures of the page."""
        return [{"colour": ink(number), "shape": marker_path(number, MARK)} for number in range(len(self.names))]


def tradeoff(
    scores: Mapping[str, Sequence[Scores]], costs: Mapping[str, Sequence[Mapping[str, Any]]], score: str
) -> Tradeoff | None:
    """What models score against what they cost; None where nothing of one of both is known of all runs.

    A cost is left out where one run lacks it, a score as well, and where no side of it is better.

    Parameters
    ----------
    scores, costs : of each run of each model, as ``summarise`` and ``measure`` return them
    score : the one that is shown first
    """
    runs = [of_run for of_model in costs.values() for of_run in of_model]
    priced = [name for name in COSTS if runs and all(of_run.get(name) for of_run in runs)]
    known: dict[str, Values] = {
        name: [[of_run[name] for of_run in of_model] for of_model in costs.values()] for name in priced
    }
    kinds = {name: kind for name, kind in common_scores(scores).items() if kind.better}
    if not known or not kinds:
        return None
    scored: dict[str, Values] = {
        name: [[of_run[name] for of_run in scores[model]] for model in costs] for name in kinds
    }
    across = [cost_axis(COSTS[name], values) for name, values in known.items()]
    up = [score_axis(name, kind, scored[name]) for name, kind in kinds.items()]
    fronts = [
        [
            _front(x, y, _means(costly), [kind.rank(mean) for mean in _means(scored[name])])
            for y, (name, kind) in zip(up, kinds.items(), strict=True)
        ]
        for x, costly in zip(across, known.values(), strict=True)
    ]
    return Tradeoff(list(costs), across, up, fronts, list(kinds).index(score) if score in kinds else 0)


def _means(values: Values) -> list[float]:
    return [spread(of_model)[0] for of_model in values]


def _front(x: Axis, y: Axis, costs: Sequence[float], ranks: Sequence[float]) -> Front:
    """The front of two axes; its line climbs at each model, and runs from the bottom to the right edge."""
    models = pareto_front(costs, ranks)
    corners = [(x.models[number].mean, y.models[number].mean) for number in models]
    climbs = "H".join(f"{left:g}V{top:g}" for left, top in corners)
    return Front(models, f"M{corners[0][0]:g} 100V{climbs.partition('V')[2]}H100")
