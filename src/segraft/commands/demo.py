"""The demonstration: the whole story on generated images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from segraft.commands.report import compare
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.files import make_folder
from segraft.images.writing import write_image
from segraft.reporting.page import available
from segraft.settings import DistillSettings, TrainSettings
from segraft.training.attempts import finish
from segraft.weights import GRAPH_WEIGHTS

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
    if not available():
        raise UserError(
            "the demo needs matplotlib and jinja2; one is missing; run: pip install 'segraft[train,report]'"
        )
    if out.exists() and any(out.iterdir()) and not resume:
        raise UserError(f"{out} exists already, expected a new folder; choose another --out, or continue with --resume")
    print(f"[1/5] generate {sum(IMAGES.values())} images of cells in {out / 'data'}", flush=True)
    generate(out / "data", seed)
    stages = _stages(out, teacher_steps, steps, seed, device)
    for number, (name, settings) in enumerate(stages.items(), start=2):
        print(f"[{number}/5] {name}: {settings.steps} steps", flush=True)
        finish(settings)
    print("[5/5] score on the test images, measure, report", flush=True)
    runs = {name: settings.out for name, settings in stages.items()}
    page = compare(
        runs, "folder", out / "data", "test", out, device=device, title="segraft demo: a student from nothing"
    )
    print(f"{(time.monotonic() - begin) / 60:.1f} minutes")
    return page


def generate(root: Path, seed: int) -> None:
    """Write generated images and their masks as a user's data set: ``root/train/images/*.tif`` and so on."""
    for split, count in IMAGES.items():
        for sample in open_dataset("synthetic", None, split, count=count, seed=seed, **CELLS):
            for folder, array in (("images", sample.image[0]), ("masks", sample.labels)):
                path = root / split / folder / f"{sample.name}.tif"
                if not path.exists():
                    make_folder(path.parent)
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
