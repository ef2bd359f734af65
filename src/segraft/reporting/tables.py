"""Rows of the page's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from segraft.metrics.protocols import BESIDE
from segraft.metrics.scores import POOLED, SCORES, Score
from segraft.metrics.scoring import spread
from segraft.model.model import Model

ARROWS = {"higher": "↑", "lower": "↓", "": ""}
Row = dict[str, Any]
Scores = Mapping[str, float | int]


def with_spread(values: Sequence[float | int], digits: int = 4) -> str:
    """A mean over seeds, with the standard deviation where there are several."""
    mean, deviation = spread(values)
    return f"{mean:.{digits}f}" if deviation is None else f"{mean:.{digits}f} ± {deviation:.{digits}f}"


def score_text(score: Score, values: Sequence[float | int]) -> str:
    """Values of a score over seeds, as the tables show them."""
    return with_spread(values, 1 if score.kind == "count" else 4)


def common_scores(scores: Mapping[str, Sequence[Scores]]) -> dict[str, Score]:
    """The scores that all runs of all models have, in the order of tables, each with its like of the other protocol."""
    known = ((name + end, score) for name, score in (SCORES | POOLED).items() for end in ("", BESIDE))
    runs = [of_run for of_model in scores.values() for of_run in of_model]
    return {name: score for name, score in known if runs and all(name in of_run for of_run in runs)}


def score_rows(scores: Mapping[str, Sequence[Scores]]) -> list[Row]:
    """One row per score that all runs have: its name, the direction that is better, and a cell per model.

    Parameters
    ----------
    scores : of each run of each model
    """
    rows = []
    for name, score in common_scores(scores).items():
        values = {model: [of_run[name] for of_run in runs] for model, runs in scores.items()}
        best = max(map(fmean, values.values()), key=score.rank)
        cells = {
            model: {
                "text": score_text(score, of_model),
                "best": bool(score.better) and len(values) > 1 and fmean(of_model) == best,
            }
            for model, of_model in values.items()
        }
        rows.append({"name": name, "better": ARROWS[score.better], "cells": cells})
    return rows


def settings_rows(settings: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Row]:
    """One row per setting: its values in the runs of each model, and whether models differ in it."""
    names = dict.fromkeys(name for runs in settings.values() for recorded in runs for name in recorded)
    return [_row(name, {model: [run.get(name) for run in runs] for model, runs in settings.items()}) for name in names]


def segmentation_row(models: Mapping[str, Sequence[Model]]) -> Row:
    """How each model segments: what training set, or tuning since."""
    stored = {name: [asdict(model.config.segmentation) for model in runs] for name, runs in models.items()}
    return _row("segmentation, as stored", stored)


def _row(name: str, values: Mapping[str, Sequence[Any]]) -> Row:
    cells = {model: " | ".join(dict.fromkeys(map(_plain, of_runs))) for model, of_runs in values.items()}
    return {"name": name, "cells": cells, "differs": len(set(cells.values())) > 1}


def _plain(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(_plain, value)) or "–"
    return "–" if value is None else str(value)
