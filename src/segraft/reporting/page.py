"""Reports: one self-contained HTML page about a run, or about several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segraft.errors import UserError
from segraft.files import write_text
from segraft.metrics.protocols import BESIDE
from segraft.metrics.scores import SCORES
from segraft.model.model import Model, load
from segraft.reporting.projection import Projection
from segraft.reporting.view import View, computed_view
from segraft.run_folder import RunFolder
from segraft.types import Sample

PICTURES = 3
"""Samples that a page shows; more would make it heavy."""
ARROWS = {"higher": "↑", "lower": "↓", "": ""}
CURVES = ("aji", "pq", "f1", "dice", "sbd", "dic", "voi", "arand")
"""Validation scores that are drawn."""


def available() -> bool:
    """Whether what draws reports is installed."""
    return all(find_spec(name) is not None for name in ("matplotlib", "jinja2"))


@dataclass(frozen=True)
class Shown:
    """What a page shows of one run: its folder, its model, and what the model makes of the samples of the page.

    Without ``views`` the model is run on the samples.
    """

    folder: RunFolder
    model: Model
    views: Sequence[View] | None = None

    @classmethod
    def of_folder(cls, path: Path) -> Shown:
        """A run with the model that it kept."""
        return cls(RunFolder(path), load(path, device="cpu"))

    def view(self, number: int, sample: Sample) -> View:
        """What the model makes of a sample of the page."""
        return computed_view(sample, self.model) if self.views is None else self.views[number]


def write_report(
    out: Path,
    runs: Mapping[str, Shown],
    samples: Sequence[Sample],
    scores: Mapping[str, Mapping[str, float]],
    costs: Mapping[str, Mapping[str, str]] | None = None,
    *,
    title: str = "Teacher and students",
    scored: str = "the test images",
    summary: Sequence[str] = (),
) -> Path:
    """Write ``report.html`` about several runs into the folder ``out`` and return its path.

    Parameters
    ----------
    runs : what to show, by the names that the page uses; the teacher first, for its embedding decides the colours
    samples : images to show, the first ``PICTURES`` of them, with their truth where it is known
    scores : of each run, as ``segraft.metrics.scoring.summarise`` returns them, or `segraft.metrics.protocols.beside`
    costs : by what is measured, then by run: text, as ``segraft.commands.benchmark.rows`` returns it
    title, summary : what the page begins with
    scored : what the scores were measured on

    Raises
    ------
    UserError : a run folder is incomplete, the page cannot be written, or matplotlib or jinja2 is missing
    """
    if not available():
        raise UserError("a report needs matplotlib and jinja2; one is missing; run: pip install 'segraft[report]'")
    from segraft.reporting.pictures import LEGEND, picture

    projections: dict[int, Projection] = {}
    views = [{name: run.view(k, sample) for name, run in runs.items()} for k, sample in enumerate(samples[:PICTURES])]
    text = _render(
        title=title,
        summary=summary,
        scored=scored,
        runs=list(runs),
        scores=_score_rows(scores),
        costs=costs or {},
        legend=LEGEND,
        pictures=[picture(sample, of_it, projections) for sample, of_it in zip(samples, views, strict=False)],
        curves=_curves({name: run.folder.history() for name, run in runs.items()}),
        settings=[
            *_settings_rows({name: run.folder.settings() for name, run in runs.items()}),
            _segmentation_row({name: run.model for name, run in runs.items()}),
        ],
    )
    page = RunFolder(Path(out)).report
    write_text(page, text)
    return page


def _score_rows(scores: Mapping[str, Mapping[str, float]]) -> list[dict[str, Any]]:
    """One row per score that all runs have: its name, the direction that is better, and the value of each run."""
    rows = []
    for name, score in ((name + ending, score) for name, score in SCORES.items() for ending in ("", BESIDE)):
        if not scores or not all(name in of_run for of_run in scores.values()):
            continue
        values = {run: of_run[name] for run, of_run in scores.items()}
        best = max(values.values(), key=score.rank)
        cells = {
            run: {
                "text": f"{value:.1f}" if score.kind == "count" else f"{value:.4f}",
                "best": bool(score.better) and len(values) > 1 and value == best,
            }
            for run, value in values.items()
        }
        rows.append({"name": name, "better": ARROWS[score.better], "cells": cells})
    return rows


def _settings_rows(settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per setting: its value in each run, and whether runs differ in it."""
    names = dict.fromkeys(name for recorded in settings.values() for name in recorded)
    rows = []
    for name in names:
        cells = {run: _plain(recorded.get(name)) for run, recorded in settings.items()}
        rows.append({"name": name, "cells": cells, "differs": len(set(cells.values())) > 1})
    return rows


def _segmentation_row(models: Mapping[str, Model]) -> dict[str, Any]:
    """How each model segments: what training set, or tuning since."""
    cells = {run: _plain(asdict(model.config.segmentation)) for run, model in models.items()}
    return {"name": "segmentation, as stored", "cells": cells, "differs": len(set(cells.values())) > 1}


def _plain(value: Any) -> str:
    """A setting as text."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "–"
    return "–" if value is None else str(value)


def _curves(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Figures of all loss terms and validation scores as data URIs; those without a value are left out."""
    from segraft.reporting.curves import draw, score_curves, term_curves
    from segraft.reporting.pictures import png_uri

    terms, scores = term_curves(histories), score_curves(histories, CURVES)
    figures = {}
    if terms:
        figures["Loss terms on training patches (unweighted; thin: as measured, thick: smoothed)"] = png_uri(
            draw(terms, list(histories), falling=True)
        )
    if scores:
        figures["Scores on validation images"] = png_uri(draw(scores, list(histories), falling=False))
    return figures


def _render(**values: Any) -> str:
    from jinja2 import Environment, StrictUndefined

    source = Path(__file__).with_name("report.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source).render(**values)
