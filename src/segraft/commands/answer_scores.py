"""Rows of a question's results: scores on the test images, costs, and how far embeddings drift."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np

from segraft.commands.asked import Asked
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.benchmarking import measure
from segraft.model.model import Model, load
from segraft.paper.questions.question import OF_TEACHER, Condition, Trial
from segraft.paper.questions.rows import Results, Row
from segraft.terminal.progress import counted
from segraft.types import Sample

METRICS = ("aji", "pq", "f1", "dice", "pq_pooled", "f1_pooled")
LAG, STEP = "lag", "step"
"""Conditions of the rows that tell of drift: after so many steps; within the fewest steps, at a step."""
REPEATS = 5
"""Predictions that are timed."""


def complete(asked: Asked, results: Results, trial: Trial, seed: int) -> bool:
    """Whether all rows of a training are there."""
    scored = all(results.has(**_known(trial, seed, condition)) for condition in asked.question.conditions)
    return scored and not _lacks_drift(asked, results, trial, seed)


def add_missing(asked: Asked, results: Results) -> None:
    """Score what has no rows yet, and write each as it comes."""
    every = list(product(asked.question.seeds, asked.trials, range(len(asked.question.conditions))))
    known = {each: _known(each[1], each[0], asked.question.conditions[each[2]]) for each in every}
    left = [each for each in every if not results.has(**known[each])]
    samples = cache(lambda number: asked.samples(asked.question.conditions[number]))
    model = cache(lambda folder: load(folder, asked.device))
    costs = cache(lambda folder: _costs(asked, folder))
    with counted("scoring", len(every), len(every) - len(left)) as done:
        for each in left:
            seed, trial, number = each
            folder = asked.folder(trial.name, seed)
            scores = scores_of(model(folder), samples(number))
            results.add([{**known[each], "series": trial.series, **trial.values, **scores, **costs(folder)}])
            done()
    for seed, trial in product(asked.question.seeds, asked.trials):
        if _lacks_drift(asked, results, trial, seed):
            results.add(list(_drift_rows(asked, trial, seed)))


def scores_of(model: Model, samples: Sequence[Sample]) -> Row:
    """Scores of a model on a set of images, by column."""
    scores = summarise([evaluate(model.predict(each.image), np.asarray(each.labels)) for each in samples])
    return {"images": len(samples), **{name: round(float(scores[name]), 6) for name in METRICS}}


def _known(trial: Trial, seed: int, condition: Condition) -> Row:
    """What tells a row from the others."""
    return {"trial": trial.name, "seed": seed, "condition": condition.name, **condition.values}


def _costs(asked: Asked, folder: Path) -> Row:
    """Multiply-adds in millions, and milliseconds from array to labels on one thread; nothing where none are asked."""
    size = asked.question.costs
    if size is None:
        return {}
    found = measure(folder, size, repeats=REPEATS, threads=1, device=asked.device, memory=False)
    return {
        "parameters": found["parameters"],
        "megamacs": found["macs"] / 1e6,
        "ms": round(found["total"] * 1e3, 3),
        "network_ms": round(found["network"] * 1e3, 3),
    }


def _lacks_drift(asked: Asked, results: Results, trial: Trial, seed: int) -> bool:
    """Whether it is still to be told how far the embeddings of a training drifted."""
    return asked.watches(trial) and not results.has(trial=trial.name, seed=seed, condition=LAG)


def _drift_rows(asked: Asked, trial: Trial, seed: int) -> Iterator[Row]:
    """Drift of the Gram matrices of pixels and of instances: means over patches, and over steps but for ``STEP``."""
    from segraft.graphs.memory_bank import INSTANCES, PIXELS
    from segraft.training.gram_probe import STEPS, STUDENT, drift, grams_file, read_grams

    grams = dict(read_grams(grams_file(asked.folder(trial.name, seed))))
    steps, lags = grams.pop(STEPS), asked.question.drift
    for network, of_network in grams.items():
        series = trial.series + ("" if network == STUDENT else OF_TEACHER)
        row: Row = {"trial": trial.name, "seed": seed, "series": series, **trial.values}
        kinds = {"drift": of_network[:, :, PIXELS], "instance_drift": of_network[:, :, INSTANCES]}
        for lag in (lag // lags[0] for lag in lags if lag // lags[0] < len(steps)):
            values = {name: float(np.nanmean(drift(each, lag))) for name, each in kinds.items()}
            yield {**row, "condition": LAG, "lag": int(lag * steps[0]), **values}
        by_step = {name: np.nanmean(drift(each, 1), axis=1) for name, each in kinds.items()}
        for number, step in enumerate(steps[1:]):
            values = {name: float(each[number]) for name, each in by_step.items()}
            yield {**row, "condition": STEP, "step": int(step), **values}
