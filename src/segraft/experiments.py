"""Whole experiments: runs compared on the same images, and the demonstration of everything on generated ones."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from segraft import benchmarking, reporting
from segraft.data import open_dataset
from segraft.data.images import unwritable, write_image
from segraft.errors import UserError
from segraft.inference import load
from segraft.metrics import evaluate, summarise
from segraft.settings import GRAPH_WEIGHTS, DistillSettings, TrainSettings, plain, read_config
from segraft.training import run
from segraft.types import Sample

Scores = dict[str, float | int]

SHOWN = ("aji", "pq", "f1", "dice", "sbd", "voi")
"""Scores in the printed table; the report has all."""
TEACHER, ALONE, DISTILLED = "teacher", "student alone", "student distilled"
IMAGES = {"train": 64, "val": 8, "test": 16}
CELLS = {"density": 0.35, "occlusion": 0.1}
"""Generated images of the demonstration: crowded, but learnt within minutes."""
TEACHER_WIDTH, STUDENT_WIDTH = 8, 2
SHORT: dict[str, Any] = {
    "patch": (128, 128),
    "batch": 4,
    "rate": 1e-2,
    "warmup": 30,
    "geometry": ("flip", "rotate90"),
    "intensity": ("brightness",),
    "minimum_size": 20,
    "validation_images": 4,
}
"""Settings of a training that ends within two minutes on two CPU cores."""
FEW = 5
"""Images below which no interval is trusted."""
OFFSETS = 10.0
"""Means over offsets count that many times, which makes them sums, as in the authors' code: the affinities, which
tell touching cells apart, are then not outweighed by the foreground."""


def demo(
    out: str | Path = "segraft-demo",
    *,
    teacher_steps: int = 400,
    steps: int = 300,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
) -> Path:
    """Tell the whole story on generated images and return the path of its report.

    Trains a teacher, a student alone, and the same student distilled from the teacher with as many steps; scores all
    three on test images; measures what they cost; prints a table; writes ``report.html``. All of it stays in ``out``.

    Parameters
    ----------
    out : folder to make
    teacher_steps : optimisation steps of the teacher
    steps : optimisation steps of each student
    seed : of the data and of the training
    device : where to train: auto, cpu, cuda or mps
    resume : go on with a demonstration that was interrupted

    Raises
    ------
    UserError : ``out`` exists and ``resume`` is not set, or cannot be written, or matplotlib or jinja2 is missing
    """
    out, begin = Path(out), time.monotonic()
    if not reporting.available():
        raise UserError(
            "the demo needs matplotlib and jinja2; one is missing; run: pip install 'segraft[train,report]'"
        )
    if out.exists() and any(out.iterdir()) and not resume:
        raise UserError(f"{out} exists already; wanted a new folder; choose another --out, or continue with --resume")
    console = Console()
    console.print(
        f"[1/5] generate {sum(IMAGES.values())} images of cells in {out / 'data'}", highlight=False, soft_wrap=True
    )
    generate(out / "data", seed)
    stages = _stages(out, teacher_steps, steps, seed, device)
    for number, (name, settings) in enumerate(stages.items(), start=2):
        console.print(f"[{number}/5] {name}: {settings.steps} steps", highlight=False)
        complete(settings)
    console.print("[5/5] score on the test images, measure, report", highlight=False)
    runs = {name: settings.out for name, settings in stages.items()}
    page = compare(
        runs, "folder", out / "data", "test", out, device=device, title="segraft demo: a student from nothing"
    )
    console.print(f"{(time.monotonic() - begin) / 60:.1f} minutes", highlight=False)
    return page


def generate(root: Path, seed: int) -> None:
    """Write generated images and their masks as a user's data set: ``root/train/images/*.tif`` and so on."""
    for split, count in IMAGES.items():
        for sample in open_dataset("synthetic", None, split, count=count, seed=seed, **CELLS):
            for folder, array in (("images", sample.image[0]), ("masks", sample.labels)):
                path = root / split / folder / f"{sample.name}.tif"
                if not path.exists():
                    with unwritable(path):
                        path.parent.mkdir(parents=True, exist_ok=True)
                    write_image(path, array)


def _stages(out: Path, teacher_steps: int, steps: int, seed: int, device: str) -> dict[str, TrainSettings]:
    """Settings of the three trainings, in their order."""
    common = {**SHORT, "dataset": "folder", "root": out / "data", "seed": seed, "device": device}
    student = {**common, "network": "resunet-tiny", "width": STUDENT_WIDTH, "steps": steps, "validate_every": 100}
    supervised = {"affinity": OFFSETS}
    distilled = {"affinity": OFFSETS, "intra_affinity": OFFSETS * GRAPH_WEIGHTS["intra_affinity"]}
    teacher = TrainSettings(
        **common,
        weights=supervised,
        network="resunet",
        width=TEACHER_WIDTH,
        steps=teacher_steps,
        validate_every=100,
        out=out / "teacher",
    )
    return {
        TEACHER: teacher,
        ALONE: TrainSettings(**student, weights=supervised, out=out / "student-alone"),
        DISTILLED: DistillSettings(**student, weights=distilled, out=out / "student-distilled", teacher=teacher.out),
    }


def complete(settings: TrainSettings) -> None:
    """Train as the settings say, from wherever an earlier attempt in the same run folder got to."""
    out = settings.out
    if not (out / "config.yaml").exists():
        run(settings)
        return
    before, now = read_config(out), plain(settings)
    changed = [name for name in ("steps", "seed") if before.get(name) != now[name]]
    if changed:
        raise UserError(
            f"{out} was begun with another {' and '.join(changed)}; resume with the same, or choose another"
        )
    history = reporting.read_record(out).history if (out / "metrics.jsonl").exists() else []
    if not any("val" in line and line["step"] >= settings.steps for line in history):
        run(replace(settings, resume=True))


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
        raise UserError("no run came; wanted run folders: teacher, student alone, other students; give them")
    named = {Path(run).resolve().name: Path(run) for run in runs}
    if len(named) < len(runs):
        raise UserError(f"{len(runs)} runs came with the names {', '.join(named)}; wanted different ones; rename one")
    if dataset is None:
        recorded = reporting.read_record(Path(runs[-1])).settings
        dataset, root = recorded["dataset"], root or recorded.get("root")
        options = options or recorded.get("options")
    out = Path(out)
    with unwritable(out):
        out.mkdir(parents=True, exist_ok=True)
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
    """
    samples = [sample for sample in open_dataset(dataset, root, split, **(options or {})) if sample.labels is not None]
    if not samples:
        raise UserError(f"no image of {dataset} ({split}) has a truth; wanted images with masks; choose another split")
    by_image = {name: score(path, samples, device) for name, path in runs.items()}
    summaries = {name: summarise(scores) for name, scores in by_image.items()}
    costs = {name: benchmarking.benchmark(path, image=samples[0].image, device=device) for name, path in runs.items()}
    lines = [*verdict(by_image), *benchmarking.notes(costs)]
    page = reporting.write_report(
        Path(out),
        runs,
        samples,
        summaries,
        benchmarking.rows(costs),
        title=title,
        scored=f"{len(samples)} images (data set {dataset}, split {split})",
        summary=lines,
    )
    console = Console()
    console.print(_table(summaries, benchmarking.rows(costs)))
    console.print(*lines, f"Report: {page}", sep="\n", highlight=False, soft_wrap=True)
    return page


def score(path: Path, samples: Sequence[Sample], device: str) -> list[Scores]:
    """Scores of one run, image by image."""
    model = load(path, device)
    return [evaluate(model.predict(sample.image), np.asarray(sample.labels)) for sample in samples]


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
    for name in SHOWN:
        table.add_row(name, *(f"{of_run[name]:.4f}" for of_run in scores.values()))
    table.add_section()
    for name, cells in costs.items():
        table.add_row(name, *(cells[run] for run in scores))
    return table
