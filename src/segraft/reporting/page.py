"""Reports: one self-contained HTML page about a run, or about several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segraft.errors import UserError
from segraft.files import write_text
from segraft.model.model import Model, load
from segraft.reporting.failures import MOST, Failing, summary
from segraft.reporting.projection import Projection
from segraft.reporting.tables import Scores, score_rows, segmentation_row, settings_rows
from segraft.reporting.template import render
from segraft.reporting.view import View, computed_view
from segraft.run_folder import RunFolder
from segraft.types import Sample

PICTURES = 3
"""Samples that a page shows; more would make it heavy."""
CURVES = ("pq_pooled", "aji", "pq", "f1", "dice", "sbd", "dic", "voi", "arand")
"""Validation scores that are drawn."""


def available() -> bool:
    """Whether what draws reports is installed."""
    return all(find_spec(name) is not None for name in ("matplotlib", "jinja2"))


@dataclass(frozen=True)
class Shown:
    """What a page shows of one run: its folder, its model, and what the model makes of the samples of the page.

    A model file has no ``folder``. Without ``views`` the model is run on the samples.
    """

    folder: RunFolder | None
    model: Model
    views: Sequence[View] | None = None

    @classmethod
    def of(cls, path: Path) -> Shown:
        """A run folder with the model that it kept, or a model file. Raises ``UserError`` where there is no model."""
        return cls(None if path.is_file() else RunFolder(path), load(path, device="cpu"))

    def settings(self) -> Mapping[str, Any]:
        """How it was trained: all that the run recorded, or the little that a model file tells."""
        if self.folder is not None:
            return self.folder.settings()
        return {"network": asdict(self.model.config.network), **self.model.config.training}

    def history(self) -> Sequence[Mapping[str, Any]]:
        """Lines of the run's metrics; a model file has none."""
        return [] if self.folder is None else self.folder.history()

    def view(self, number: int, sample: Sample) -> View:
        """What the model makes of a sample of the page."""
        return computed_view(sample, self.model) if self.views is None else self.views[number]


def write_report(
    out: Path,
    models: Mapping[str, Sequence[Shown]],
    samples: Sequence[Sample],
    scores: Mapping[str, Sequence[Scores]],
    costs: Mapping[str, Mapping[str, str]] | None = None,
    *,
    measured: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    score: str = "aji",
    title: str = "Teacher and students",
    scored: str = "the test images",
    findings: Sequence[str] = (),
    failing: Sequence[Failing] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Write ``report.html`` about several models into the folder ``out`` and return its path.

    Parameters
    ----------
    models : runs to show by the name of their model, which differ by seed; pictures are of the first of each. The
        teacher comes first, for its embedding decides the colours
    samples : images to show, the first ``PICTURES`` of them, with their truth where it is known
    scores : of each run of each model, as ``segraft.metrics.scoring.summarise`` returns them, or
        `segraft.metrics.protocols.beside`
    costs : by what is measured, then by model: text, as ``segraft.commands.benchmark.rows`` returns it
    measured : costs of each run of each model, as ``segraft.model.benchmarking.measure`` returns them: with them the
        page begins with scores against costs, without with the curve of a validation score
    score : the one that it begins with
    title, findings : what is read first
    scored : what the scores were measured on
    failing : images on which students fail, the worst first; the page shows ``MOST`` of them
    notes : small print

    Raises
    ------
    UserError : a run folder is incomplete, the page cannot be written, or matplotlib or jinja2 is missing
    """
    if not available():
        raise UserError("a report needs matplotlib and jinja2; one is missing; run: pip install 'segraft[report]'")
    from segraft.reporting.pictures import LEGEND, picture
    from segraft.reporting.tradeoff import tradeoff

    first = {name: runs[0] for name, runs in models.items()}
    projections: dict[int, Projection] = {}
    views = [{name: run.view(k, sample) for name, run in first.items()} for k, sample in enumerate(samples[:PICTURES])]
    text = render(
        "report.html.j2",
        title=title,
        findings=findings,
        failing=failing[:MOST],
        failures=summary(failing, len(samples)),
        notes=notes,
        scored=scored,
        models={name: len(runs) for name, runs in models.items()},
        scores=score_rows(scores),
        seeds=_each_seed(models, scores),
        costs=costs or {},
        legend=LEGEND,
        pictures=[picture(sample, of_it, projections) for sample, of_it in zip(samples, views, strict=False)],
        settings=[
            *settings_rows({name: [run.settings() for run in runs] for name, runs in models.items()}),
            segmentation_row({name: [run.model for run in runs] for name, runs in models.items()}),
        ],
        tradeoff=tradeoff(scores, measured or {}, score),
        **_figures(models, score, opening=not measured),
    )
    page = RunFolder(Path(out)).report
    write_text(page, text)
    return page


def _each_seed(
    models: Mapping[str, Sequence[Shown]], scores: Mapping[str, Sequence[Scores]]
) -> dict[str, dict[str, Any]]:
    """Columns and rows of the scores of each run, of those models that have several."""
    tables = {}
    for name, runs in models.items():
        if len(runs) > 1:
            columns = [f"seed {run.settings()['seed']}" for run in runs]
            rows = score_rows({column: [of_run] for column, of_run in zip(columns, scores[name], strict=True)})
            tables[name] = {"columns": columns, "rows": rows}
    return tables


def _figures(models: Mapping[str, Sequence[Shown]], score: str, opening: bool) -> dict[str, Any]:
    """Keys of the models, and curves as SVG elements, that of ``score`` apart if it is the page's ``opening``.

    Those without a value are left out.
    """
    from segraft.reporting.curves import draw, score_curves, term_curves
    from segraft.reporting.figures import key

    histories = {name: [run.history() for run in runs] for name, runs in models.items()}
    names = list(models)
    curves = score_curves(histories, tuple(dict.fromkeys((*CURVES, score))))
    first = {score: curves.pop(score)} if opening and score in curves else {}
    return {
        "keys": {name: key(number) for number, name in enumerate(names)},
        "first_curve": draw(first, names, falling=False),
        "score_curves": draw(curves, names, falling=False),
        "term_curves": draw(term_curves(histories), names, falling=True),
    }
