"""The figure of the memory bank: scores of recipes over its size and over the images drawn, beside what it takes."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from segraft.commands.contenders import Wanted, best, nothing_on, reproduce_missing, runs_in
from segraft.commands.orders import Order
from segraft.errors import UserError
from segraft.metrics.protocols import PAPER
from segraft.paper import FIGURES, RECIPES, Recipe
from segraft.paper.ablations import K, L
from segraft.paper.figures import DRAWINGS, own_bank, published_bank
from segraft.paper.published import lines
from segraft.paper.results import Measured, Result, measured
from segraft.paper.tables import Part
from segraft.settings import USUAL, DistillSettings, required

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from segraft.reporting.memory import Banked

NUMBER = 6
GRAMS = "two Gram matrices of each, so that K may be the whole data set; drawing L images changes neither"


def memory_figure(wanted: Wanted, order: Order | None) -> tuple[Figure, list[str]]:
    """Draw the figure; return it with its caption.

    Raises ``UserError`` for models, of which the figure shows none, and where there are no runs.
    """
    from segraft.reporting.memory import draw_memory

    if wanted.models or wanted.runs is None:
        raise UserError("model: got models, expected none, for figure 6 shows scores of recipes; omit --model")
    datasets = DRAWINGS[NUMBER].datasets if wanted.dataset is None else (wanted.dataset,)
    found = runs_in(wanted.runs)
    part = _part(datasets, best(found))
    if order is not None:
        reproduce_missing(list(part.rows.values()), best(found), order)
        found = runs_in(order.out)
    if not best(found).keys() & set(part.rows.values()):
        raise UserError(nothing_on(datasets, wanted.runs, best(found)))
    results = [run.result for run in found]
    points = [_point(RECIPES[name], _score(name, part, results)) for name in part.rows.values()]
    sizes = [each for each in points if each.samples == min(each.size, L)]
    samples = [each for each in points if each.size == K]
    figure = draw_memory(sizes, samples, f"{part.columns[0].title}, protocol {PAPER.name}")
    return figure, _caption(part, results)


def _part(datasets: Sequence[str], runs: Container[str]) -> Part:
    """The data set with most recipes of the figure finished; ``UserError`` where the figure has none of these."""
    parts = [part for part in FIGURES[NUMBER].parts if part.dataset in datasets]
    if not parts:
        known = ", ".join(DRAWINGS[NUMBER].datasets)
        raise UserError(f"dataset: got {datasets[0]}, expected one of {known}, on which the figure has recipes")
    return max(parts, key=lambda part: sum(name in runs for name in part.rows.values()))


def _score(name: str, part: Part, results: Sequence[Result]) -> Measured | None:
    """What a recipe scored in the part's first column, by the protocol paper."""
    column = part.columns[0]
    return measured(results, name, column.segmentation, column.metric, PAPER.name)


def _point(chosen: Recipe, score: Measured | None) -> Banked:
    """A recipe's bank, whose memory is that of the published patch and of the published experiment."""
    from segraft.reporting.memory import Banked

    settings = chosen.settings
    assert isinstance(settings, DistillSettings)
    size, samples = required(settings.bank_size), required(settings.bank_samples)
    dim = settings.dim or USUAL["dim"]
    return Banked(
        size=size,
        samples=samples,
        score=None if score is None else (score.mean, score.spread),
        published=published_bank(size, dim, required(settings.patch)),
        own=own_bank(size, dim),
    )


def _caption(part: Part, results: Sequence[Result]) -> list[str]:
    """Where the scores come from, what is missing, and what the paper says in words."""
    scores = {label: _score(name, part, results) for label, name in part.rows.items()}
    told = "; ".join(f"{label}: {score}" for label, score in scores.items() if score is not None)
    missing = [label for label, score in scores.items() if score is None]
    patch = " × ".join(map(str, required(RECIPES[next(iter(part.rows.values()))].settings.patch)))
    said = [f"{line['statement']} ({line['source']})" for line in lines("fig6_words") if line["source"] != "-"]
    return [
        f"{part.title}: {told}.",
        *([f"Not measured: {'; '.join(missing)}."] if missing else []),
        f"Memory, from shapes, in float32: published, the last K embeddings of {patch} pixels; here, {GRAMS}.",
        *([] if FIGURES[NUMBER].note == "" else [FIGURES[NUMBER].note]),
        f"The paper says: {'; '.join(said)}.",
    ]
