"""Compare runs on the same images, in a table and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from segraft.commands.benchmark import notes, rows
from segraft.data import open_dataset
from segraft.data.centres import centres
from segraft.data.masks import note_doubtful
from segraft.errors import UserError
from segraft.files import make_folder
from segraft.labels.masks import Masks
from segraft.labels.mistakes import Mistaken, mistaken
from segraft.metrics.bootstrap import paired_difference
from segraft.metrics.protocols import BESIDE, OURS, Protocol, beside
from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import evaluate, summarise
from segraft.metrics.usual import usual_score
from segraft.model.benchmarking import measure
from segraft.model.model import load
from segraft.model.model_file import shipped
from segraft.paper.protocols import chosen
from segraft.reporting.failures import MOST, Failing, failing, summary
from segraft.reporting.groups import grouped
from segraft.reporting.page import Shown, write_report
from segraft.reporting.tables import with_spread
from segraft.reporting.view import COMPUTED
from segraft.run_folder import RunFolder
from segraft.terminal.tables import print_table
from segraft.types import Sample

Scores = dict[str, float | int]
Measured = Mapping[str, Any]
"""What ``measure`` returns."""
SHOWN = ("aji", "pq", "f1", "dice", "sbd", "voi")
"""Scores in the printed table; the report has all."""
FEW = 5
"""Images below which no interval is trusted."""


def report(
    *runs: str | Path,
    out: str | Path,
    dataset: str | None = None,
    root: str | Path | None = None,
    split: str = "test",
    options: dict[str, Any] | None = None,
    device: str = "auto",
    times: bool = True,
) -> Path:
    """Compare runs on the same images: scores, costs, curves and pictures, in a table and in ``out/report.html``.

    Runs that differ by their seed only are one model, with the mean and the standard deviation over its seeds. The
    images on which students split or merge true objects that the teacher does not are listed, the worst first. Of
    images in a folder that have more than 2 GB with their labels the centre alone is read, scored and shown.

    Parameters
    ----------
    runs : run folders, model files or names of models in the package: the teacher, the student alone, and students to
        compare with that
    out : folder for the report
    dataset : the images; by default those that the last run was trained on
    root : folder of the data set
    split : train, val or test
    options : of the data set's reader, by name
    device : auto, cpu, cuda or mps
    times : measure milliseconds and memory, too; on a machine that is busy they mean little

    Raises
    ------
    UserError : a run is incomplete, two have the same name, the data set is not known, or no image has a truth
    """
    if not runs:
        raise UserError("runs: got none, expected run folders: teacher, student alone, other students; give them")
    own = shipped()
    runs = tuple(own[str(run)] if str(run) in own and not Path(run).exists() else run for run in runs)
    named = {_name(Path(run)): Path(run) for run in runs}
    if len(named) < len(runs):
        raise UserError(f"runs: got {len(runs)} with the names {', '.join(named)}, expected different ones; rename one")
    if dataset is None:
        if Path(runs[-1]).is_file():
            raise UserError(f"dataset: got none, and {runs[-1]} does not tell its folder; give --dataset and --root")
        dataset, root, options = RunFolder(Path(runs[-1])).data(root, options)
    make_folder(out)
    return compare(named, dataset, root, split, out, options=options, device=device, times=times)


def _name(run: Path) -> str:
    """What a run is called: as its folder, or as its file without the ending."""
    return run.stem if run.is_file() else run.resolve().name


def compare(
    runs: Mapping[str, Path],
    dataset: str,
    root: str | Path | None,
    split: str,
    out: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    device: str = "auto",
    times: bool = True,
    title: str = "Teacher and students",
) -> Path:
    """Score several runs on the same images, measure what they cost, print a table and write ``out/report.html``.

    Parameters
    ----------
    runs : run folders or model files by name: the teacher, to whose costs the others' are compared, the student
        alone, to whose scores the others' are compared, and other students; those that differ by seed are one model
    dataset, root, split, options : the images
    times : measure milliseconds and memory, too

    Raises ``UserError`` where no image has a truth, or a run is incomplete.
    """
    samples = _with_truth(dataset, root, split, options or {})
    score = _score_by_image(samples)
    shown = {name: Shown.of(path) for name, path in runs.items()}
    models = grouped({name: run.settings() for name, run in shown.items()})
    protocols = chosen("both", dataset)
    seen = {name: seen_by(path, samples, device, protocols) for name, path in runs.items()}
    by_image = {name: run.scores for name, run in seen.items()}
    mistakes = {model: [seen[run].mistakes for run in of_model] for model, of_model in models.items()}
    failures = failing([sample.name for sample in samples], mistakes)
    costs = {name: measure(path, image=samples[0].image, device=device, times=times) for name, path in runs.items()}
    scores = {model: [by_image[run][OURS.name] for run in of_model] for model, of_model in models.items()}
    summaries = _summaries(models, by_image, protocols)
    cost_rows = rows({model: over_seeds([costs[run] for run in of_model]) for model, of_model in models.items()})
    findings = verdict(scores, score)
    small_print = [caveat(models), f"Scores by protocol ours; {protocols[-1]}.", *notes(costs)]
    page = write_report(
        Path(out),
        {model: [shown[run] for run in of_model] for model, of_model in models.items()},
        samples,
        summaries,
        cost_rows,
        measured={model: [costs[run] for run in of_model] for model, of_model in models.items()},
        score=score,
        title=title,
        scored=f"{len(samples)} images (data set {dataset}, split {split})",
        findings=findings,
        failing=failures,
        notes=small_print,
    )
    note_doubtful(_seen(samples), dataset, options)
    print_table(_table(summaries, cost_rows))
    if failures:
        print(summary(failures, len(samples)))
        print_table(_failures(failures))
    print(*findings, *small_print, f"Report: {page}", sep="\n")
    return page


def _score_by_image(samples: Sequence[Sample]) -> str:
    """The score in which runs are compared image by image: VOI in volumes of dense tissue, else AJI."""
    truths = (np.asarray(sample.labels) for sample in samples)
    return "voi" if usual_score(truths, samples[0].image.ndim - 1) == "voi" else "aji"


def _summaries(
    models: Mapping[str, Sequence[str]],
    by_image: Mapping[str, Mapping[str, Sequence[Scores]]],
    protocols: Sequence[Protocol],
) -> dict[str, list[Scores]]:
    """Mean scores of each run of each model, and beside them those by the paper's protocol that differ."""
    means = ({run: summarise(list(scores[each.name])) for run, scores in by_image.items()} for each in protocols)
    of_runs = beside(*means)
    return {model: [of_runs[run] for run in of_model] for model, of_model in models.items()}


def _seen(samples: Sequence[Sample]) -> Masks:
    """What the truth of samples holds together."""
    masks = Masks()
    for sample in samples:
        masks.look(sample.name, np.asarray(sample.labels))
    return masks


def _with_truth(dataset: str, root: str | Path | None, split: str, options: Mapping[str, Any]) -> list[Sample]:
    """The images that can be scored; ``UserError`` where there are none."""
    opened = centres(open_dataset(dataset, root, split, **options), COMPUTED)
    samples = [sample for sample in opened if sample.labels is not None]
    if not samples:
        raise UserError(
            f"no image of {dataset} ({split}) has a truth, expected images with masks; choose another split"
        )
    return samples


@dataclass(frozen=True)
class Seen:
    """What a run makes of samples: scores by protocol, and the true objects that it splits or merges, by image."""

    scores: dict[str, list[Scores]]
    mistakes: list[Mistaken]


def seen_by(path: Path, samples: Sequence[Sample], device: str, protocols: Sequence[Protocol]) -> Seen:
    """Segment samples by one run, and compare with their truth."""
    model = load(path, device)
    seen = Seen({each.name: [] for each in protocols}, [])
    for sample in samples:
        labels, truth = model.predict(sample.image), np.asarray(sample.labels)
        for each in protocols:
            seen.scores[each.name].append(evaluate(labels, truth, each))
        seen.mistakes.append(mistaken(labels, truth))
    return seen


def over_seeds(costs: Sequence[Measured]) -> dict[str, Any]:
    """What a model costs: means over its runs of what is measured, and what is the same for all."""
    numbers = ("parameters", "macs", "file", "preparation", "network", "postprocessing", "total", "memory")
    known = {name: [each[name] for each in costs if each[name] is not None] for name in numbers}
    means: dict[str, Any] = {name: np.mean(values).item() if values else None for name, values in known.items()}
    return {**costs[0], **means, "parameters": round(means["parameters"])}


def verdict(by_image: Mapping[str, Sequence[Sequence[Scores]]], score: str = "aji") -> list[str]:
    """Say in words how each model differs from the second one (the student alone), and how sure that is.

    Parameters
    ----------
    by_image : scores of each image, of each run of each model
    score : the one that is compared
    """
    means = {
        model: np.mean([[of_image[score] for of_image in of_run] for of_run in runs], axis=0)
        for model, runs in by_image.items()
    }
    lines = []
    _, *students = means
    for other in students[1:]:
        alone = students[0]
        mean, low, high = paired_difference(means[other], means[alone])
        worst, best = (-high, -low) if SCORES[score].better == "lower" else (low, high)
        found = "it is better" if worst > 0 else "it is worse" if best < 0 else "no clear difference"
        images = len(means[alone])
        if images < FEW:
            found = "too few images to tell"
        interval = f"95 % interval {low:+.3f} to {high:+.3f} by bootstrap over {images} images"
        lines.append(f"{score.upper()} of {other} minus {alone}: {mean:+.3f} ({interval}): {found}.")
    return lines


def caveat(models: Mapping[str, Sequence[str]]) -> str:
    """What the intervals leave out, by the number of runs of each model."""
    if all(len(runs) == 1 for runs in models.values()):
        return "One run of each: another seed gives other numbers, and the interval knows nothing of that."
    counted = ", ".join(f"{model} {len(runs)}" for model, runs in models.items())
    return f"Seeds: {counted}. Differences are of means over seeds; their intervals are over images, not over seeds."


def _table(scores: Mapping[str, Sequence[Scores]], costs: Mapping[str, Mapping[str, str]]) -> Table:
    """Scores and costs for the terminal, one column per model."""
    table = Table("", *scores)
    for name in (name + ending for name in SHOWN for ending in ("", BESIDE)):
        if all(name in of_run for runs in scores.values() for of_run in runs):
            table.add_row(name, *(with_spread([of_run[name] for of_run in runs]) for runs in scores.values()))
    table.add_section()
    for name, cells in costs.items():
        table.add_row(name, *(cells[model] for model in scores))
    return table


def _failures(failures: Sequence[Failing]) -> Table:
    """The images on which students fail most, for the terminal, one column per student."""
    table = Table("image", *failures[0].cells)
    for each in failures[:MOST]:
        table.add_row(each.image, *each.cells.values())
    return table
