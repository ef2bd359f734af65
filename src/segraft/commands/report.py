"""Compare runs on the same images, in a table and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from segraft.commands.benchmark import notes, rows
from segraft.data import open_dataset
from segraft.data.masks import note_binary
from segraft.errors import UserError
from segraft.files import make_folder
from segraft.labels.masks import Masks
from segraft.metrics.protocols import BESIDE, Protocol, beside
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.benchmarking import measure
from segraft.model.model import load
from segraft.paper.protocols import chosen
from segraft.reporting.page import Shown, write_report
from segraft.run_folder import RunFolder
from segraft.terminal.tables import print_table
from segraft.types import Sample

Scores = dict[str, float | int]
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
) -> Path:
    """Compare runs on the same images: scores, costs, curves and pictures, in a table and in ``out/report.html``.

    Parameters
    ----------
    runs : run folders: the teacher, the student alone, and students to compare with that
    out : folder for the report
    dataset : the images; by default those that the last run was trained on
    root : folder of the data set
    split : train, val or test
    options : of the data set's reader, by name
    device : auto, cpu, cuda or mps

    Raises
    ------
    UserError : a run is incomplete, two have the same name, or no image has a truth
    """
    if not runs:
        raise UserError("runs: got none, expected run folders: teacher, student alone, other students; give them")
    named = {Path(run).resolve().name: Path(run) for run in runs}
    if len(named) < len(runs):
        raise UserError(f"runs: got {len(runs)} with the names {', '.join(named)}, expected different ones; rename one")
    if dataset is None:
        dataset, root, options = RunFolder(Path(runs[-1])).data(root, options)
    make_folder(out)
    return compare(named, dataset, root, split, out, options=options, device=device)


def compare(
    runs: Mapping[str, Path],
    dataset: str,
    root: str | Path | None,
    split: str,
    out: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    device: str = "auto",
    title: str = "Teacher and students",
) -> Path:
    """Score several runs on the same images, measure what they cost, print a table and write ``out/report.html``.

    Parameters
    ----------
    runs : run folders by name: the teacher, to whose costs the others' are compared, the student alone, to whose
        scores the others' are compared, and other students
    dataset, root, split, options : the images

    Raises ``UserError`` where no image has a truth, or a run is incomplete.
    """
    samples = [sample for sample in open_dataset(dataset, root, split, **(options or {})) if sample.labels is not None]
    if not samples:
        raise UserError(
            f"no image of {dataset} ({split}) has a truth, expected images with masks; choose another split"
        )
    ours, paper = protocols = chosen("both", dataset)
    scores = {name: score(path, samples, device, protocols) for name, path in runs.items()}
    by_image, by_paper = ({name: of_run[each.name] for name, of_run in scores.items()} for each in (ours, paper))
    summaries = beside(*({name: summarise(of_run) for name, of_run in each.items()} for each in (by_image, by_paper)))
    costs = {name: measure(path, image=samples[0].image, device=device) for name, path in runs.items()}
    lines = [*verdict(by_image), f"Scores by protocol ours; {paper}.", *notes(costs)]
    page = write_report(
        Path(out),
        {name: Shown.of_folder(path) for name, path in runs.items()},
        samples,
        summaries,
        rows(costs),
        title=title,
        scored=f"{len(samples)} images (data set {dataset}, split {split})",
        summary=lines,
    )
    note_binary(_seen(samples), dataset, options)
    print_table(_table(summaries, rows(costs)))
    print(*lines, f"Report: {page}", sep="\n")
    return page


def _seen(samples: Sequence[Sample]) -> Masks:
    """What the truth of samples holds together."""
    masks = Masks()
    for sample in samples:
        masks.look(sample.name, np.asarray(sample.labels))
    return masks


def score(path: Path, samples: Sequence[Sample], device: str, protocols: Sequence[Protocol]) -> dict[str, list[Scores]]:
    """Scores of one run by protocol, image by image."""
    model = load(path, device)
    scores: dict[str, list[Scores]] = {each.name: [] for each in protocols}
    for sample in samples:
        labels = model.predict(sample.image)
        for each in protocols:
            scores[each.name].append(evaluate(labels, np.asarray(sample.labels), each))
    return scores


def verdict(by_image: Mapping[str, Sequence[Scores]], name: str = "aji") -> list[str]:
    """Say in words how each run differs from the second one (the student alone), and how sure that is."""
    lines = []
    _, *students = by_image
    for other in students[1:]:
        alone = students[0]
        before = [scores[name] for scores in by_image[alone]]
        mean, low, high = paired_difference([scores[name] for scores in by_image[other]], before)
        found = "it is better" if low > 0 else "it is worse" if high < 0 else "no clear difference"
        if len(before) < FEW:
            found = "too few images to tell"
        interval = f"95 % interval {low:+.3f} to {high:+.3f} by bootstrap over {len(before)} images"
        lines.append(f"{name.upper()} of {other} minus {alone}: {mean:+.3f} ({interval}): {found}.")
    lines.append("One run of each: another seed gives other numbers, and the interval knows nothing of that.")
    return lines


def paired_difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, draws: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of ``first − second``, image by image, and its 95 % percentile bootstrap interval over images."""
    differences = np.subtract(first, second)
    picks = np.random.default_rng(seed).integers(len(differences), size=(draws, len(differences)))
    low, high = np.percentile(differences[picks].mean(1), (2.5, 97.5))
    return float(differences.mean()), float(low), float(high)


def _table(scores: Mapping[str, Scores], costs: Mapping[str, Mapping[str, str]]) -> Table:
    """Scores and costs for the terminal, one column per run."""
    table = Table("", *scores)
    for name in (name + ending for name in SHOWN for ending in ("", BESIDE)):
        if all(name in of_run for of_run in scores.values()):
            table.add_row(name, *(f"{of_run[name]:.4f}" for of_run in scores.values()))
    table.add_section()
    for name, cells in costs.items():
        table.add_row(name, *(cells[run] for run in scores))
    return table
