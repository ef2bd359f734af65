"""The demonstration: a small student learns from a teacher, on real nuclei or from nothing on generated cells."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from segraft.commands.report import compare
from segraft.data import open_dataset
from segraft.data.shipped import NUCLEI, TEACHER_FILE
from segraft.errors import UserError
from segraft.files import make_folder
from segraft.images.writing import write_image
from segraft.reporting.page import available
from segraft.settings import DistillSettings, TrainSettings
from segraft.training.side_by_side import finish_all
from segraft.weights import GRAPH_WEIGHTS

TEACHER, ALONE, DISTILLED = "teacher", "student alone", "student distilled"
IMAGES = {"train": 64, "val": 8, "test": 16}
CELLS = {"density": 0.35, "occlusion": 0.1}
"""Generated images: crowded, but learnt within minutes."""
SEEDS = 3
"""Trainings of each student on real nuclei: one alone says little."""
TEACHER_WIDTH, STUDENT_WIDTH = 8, 2
"""Of the generated demonstration; that on nuclei brings its teacher, and has a student of the same width."""
TEACHER_STEPS, STEPS, NUCLEI_STEPS = 400, 300, 900
SHORT: dict[str, Any] = {
    "patch": (128, 128),
    "batch": 4,
    "rate": 1e-2,
    "warmup": 30,
    "geometry": ("flip", "rotate90"),
    "intensity": ("brightness",),
    "blanks": 0.0,
    "validate_every": 100,
    "tune": False,
}
"""Settings of a training that ends within a minute or two on two CPU cores."""
FEW: dict[str, Any] = {
    "patch": (64, 64),
    "geometry": ("flip", "rotate90", "scale"),
    "intensity": ("brightness", "contrast"),
    "blanks": 0.0,
    "percentiles": (1.0, 99.8),
    "validate_every": 300,
    "workers": 0,
    "tune": False,
}
"""Of the few real nuclei: many small patches teach more in the same time; grey values are scaled as the teacher's."""
OFFSETS = 10.0
"""Of generated cells, means over offsets count that many times, which makes them sums, as in the authors' code: the
affinities, which tell touching cells apart, are then not outweighed by the foreground."""
SUPERVISED = {"affinity": OFFSETS}
GRAPH = {"affinity": OFFSETS, "intra_affinity": OFFSETS * GRAPH_WEIGHTS["intra_affinity"]}


def demo(
    out: str | Path = "segraft-demo",
    *,
    generated: bool = False,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
) -> Path:
    """Distil a small student on real nuclei and return the path of the report.

    A teacher comes with the package. The same small student is trained alone and distilled from the teacher, with as
    many steps and three seeds each; all are scored on test images, and what they cost is measured. Prints a table and
    writes ``report.html``. With ``generated``, images of cells are made, and the teacher is trained on them, too; one
    seed each. All of it stays in ``out``.

    Parameters
    ----------
    out : folder to make
    generated : tell the story from nothing, on generated cells, in place of real nuclei
    steps : optimisation steps of each student; by default 900, with generated cells 300
    seed : the first one of the trainings; with generated cells also of these
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
    at_once = _at_once(device)
    if generated:
        print(f"generate {sum(IMAGES.values())} images of cells in {out / 'data'}", flush=True)
        generate(out / "data", seed)
        finish_all({TEACHER: _teacher(out, seed, device)}, 1)
    tell, usual = (_from_nothing, STEPS) if generated else (_on_nuclei, NUCLEI_STEPS)
    stages = tell(out, usual if steps is None else steps, seed, device)
    finish_all(stages, at_once)
    print("score on the test images, measure, report", flush=True)
    runs = {name: settings.out for name, settings in stages.items()}
    teacher, root = (out / TEACHER, out / "data") if generated else (TEACHER_FILE, NUCLEI)
    title = f"segraft demo: a student {'from nothing' if generated else 'of nuclei'}"
    page = compare({TEACHER: teacher, **runs}, "folder", root, "test", out, device=device, title=title)
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


def _on_nuclei(out: Path, steps: int, seed: int, device: str) -> dict[str, TrainSettings]:
    """Settings of the students on real nuclei, alone and distilled by turns, in their order."""
    stages: dict[str, TrainSettings] = {}
    for each in range(seed, seed + SEEDS):
        student = _common({**FEW, "root": NUCLEI, "seed": each, "device": device}, steps)
        alone, distilled = f"{ALONE} {each}", f"{DISTILLED} {each}"
        stages[alone] = TrainSettings(**student, out=out / _folder(alone))
        stages[distilled] = DistillSettings(**student, out=out / _folder(distilled), teacher=TEACHER_FILE)
    return stages


def _teacher(out: Path, seed: int, device: str) -> TrainSettings:
    """Settings of the teacher on generated cells."""
    own = {"network": "resunet", "width": TEACHER_WIDTH, "weights": SUPERVISED, "out": out / TEACHER}
    return TrainSettings(**{**_on_cells(out, TEACHER_STEPS, seed, device), **own})


def _from_nothing(out: Path, steps: int, seed: int, device: str) -> dict[str, TrainSettings]:
    """Settings of the students on generated cells, in their order."""
    student = _on_cells(out, steps, seed, device)
    return {
        ALONE: TrainSettings(**student, weights=SUPERVISED, out=out / _folder(ALONE)),
        DISTILLED: DistillSettings(**student, weights=GRAPH, out=out / _folder(DISTILLED), teacher=out / TEACHER),
    }


def _on_cells(out: Path, steps: int, seed: int, device: str) -> dict[str, Any]:
    """What all trainings on generated cells have in common."""
    common = {"root": out / "data", "seed": seed, "device": device, "minimum_size": 20, "validation_images": 4}
    return _common(common, steps)


def _at_once(device: str) -> int:
    """How many trainings run side by side: one on each core, or one on a GPU."""
    from segraft.model.torch_runner import find_device  # whose lack is told when it is called

    return os.cpu_count() or 1 if find_device(device).type == "cpu" else 1


def _common(common: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """What all trainings of a student have in common."""
    return {**SHORT, "dataset": "folder", "network": "resunet-tiny", "width": STUDENT_WIDTH, "steps": steps, **common}


def _folder(name: str) -> str:
    return name.replace(" ", "-")
