"""Run a recipe: its teacher, its training, its scores on the test images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from segraft.data import open_dataset
from segraft.errors import UserError, choose
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.model import Model, load
from segraft.paper import RECIPES, Recipe, Segmentation
from segraft.paper.printing import compared, listing
from segraft.paper.protocols import chosen as protocols_of
from segraft.paper.results import Result, write
from segraft.paper.scaling import difference, scaled
from segraft.run_folder import RunFolder
from segraft.segment import SEGMENTERS
from segraft.settings import DistillSettings, TrainSettings
from segraft.terminal.progress import messages, track
from segraft.terminal.tables import print_table
from segraft.training.attempts import finish
from segraft.types import Sample

Scores = dict[str, float | int]
Images = dict[str, dict[str, dict[str, Scores]]]
"""By protocol, segmentation and image."""


def recipe(
    name: str | None = None,
    *,
    root: str | Path | None = None,
    out: str | Path = "runs",
    scale: float = 1.0,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
) -> Path | None:
    """Repeat a published experiment and print its scores beside the published ones; without a name, list all recipes.

    Trains the recipe's teacher first, unless its scores are in ``out`` already; then what the recipe says; segments
    and scores the test images; writes ``scores.json`` into the run folder, ``out/NAME``, which is returned. Other
    scales and seeds have folders of their own, ``out/NAME-scale-0.1-seed-3``; a teacher always has its recipe's seed.

    Parameters
    ----------
    name : the recipe's name
    root : folder of the data set
    out : folder for the runs
    scale : from above 0 to 1: fewer steps, smaller crops and teachers, on a machine that cannot do the whole experiment
    seed : of the training, in place of the recipe's
    device : where to train: auto, cpu, cuda or mps
    resume : go on with a run that was interrupted

    Raises
    ------
    UserError : an unknown name, a scale out of range, no data, or a run folder that is there without ``resume``
    """
    if name is None:
        listing()
        return None
    chosen = choose("recipe", name, RECIPES)
    if root is None or not Path(root).exists():
        found = f"got none for the recipe {name}" if root is None else f"{root} does not exist"
        raise UserError(f"root: {found}, expected the folder of {chosen.settings.dataset}; give it with --root")
    order = Order(Path(root), Path(out), scale, seed, device, resume)
    order.check(chosen)
    return _reproduce(chosen, order)


@dataclass(frozen=True)
class Order:
    """How recipes are to be run; the parameters of ``recipe``."""

    root: Path
    out: Path
    scale: float
    seed: int | None
    device: str
    resume: bool

    def folder(self, chosen: Recipe) -> Path:
        """Run folder of a recipe."""
        scale = "" if self.scale == 1 else f"-scale-{self.scale:g}"
        seed = "" if self.seed in (None, chosen.settings.seed) else f"-seed-{self.seed}"
        return self.out / f"{chosen.name}{scale}{seed}"

    def settings(self, chosen: Recipe) -> TrainSettings:
        """Complete settings of a recipe's training."""
        settings = scaled(chosen.settings, self.scale)
        seed = settings.seed if self.seed is None else self.seed
        settings = replace(settings, root=self.root, out=self.folder(chosen), seed=seed, device=self.device)
        if isinstance(settings, DistillSettings):
            settings = replace(settings, teacher=self.of_teacher().folder(_teacher(chosen)))
        return settings

    def of_teacher(self) -> Order:
        """The order for the teacher, which has its recipe's seed for all students."""
        return replace(self, seed=None)

    def check(self, chosen: Recipe) -> None:
        """Raise ``UserError`` for what cannot work, before a teacher is trained for days."""
        folder = self.settings(chosen).out
        if folder.exists() and not self.resume:
            raise UserError(f"{folder} is there already, expected a new run; add --resume, or choose another --out")
        if chosen.teacher is not None:
            teacher = self.of_teacher()
            if not RunFolder(teacher.folder(_teacher(chosen))).scores.exists():
                teacher.check(_teacher(chosen))


def _teacher(chosen: Recipe) -> Recipe:
    """The recipe of a recipe's teacher."""
    return RECIPES[chosen.teacher or ""]


def _reproduce(chosen: Recipe, order: Order) -> Path:
    """Train, score, write, print; the teacher first, if it is not done."""
    if chosen.teacher is not None:
        teacher = order.of_teacher()
        if not RunFolder(teacher.folder(_teacher(chosen))).scores.exists():
            _reproduce(_teacher(chosen), teacher)
    settings = order.settings(chosen)
    note = "" if order.scale == 1 else difference(settings, chosen.settings, order.scale)
    heading = f"{chosen.name}: {settings.steps} steps, run folder {settings.out}"
    print(*filter(None, (heading, note)), sep="\n", flush=True)
    finish(settings)
    images = score(chosen, settings)
    means = {
        protocol: {name: summarise(list(each.values())) for name, each in by_segmentation.items()}
        for protocol, by_segmentation in images.items()
    }
    result = Result(chosen.name, order.scale, settings.seed, note, means, images)
    path = write(result, settings.out)
    print_table(compared(chosen, result))
    print(*filter(None, (note, f"Scores: {path}")), sep="\n", flush=True)
    return settings.out


def score(chosen: Recipe, settings: TrainSettings) -> Images:
    """Score a trained recipe on the test images: by protocol, by segmentation, then by image."""
    model = load(settings.out, settings.device)
    samples = open_dataset(settings.dataset, settings.root, "test", **settings.options)
    protocols = protocols_of("both", settings.dataset)
    scores: Images = {each.name: {name: {} for name in chosen.segmentations} for each in protocols}
    for index in track(range(len(samples)), "scoring", messages()):
        sample = samples[index]
        labels = segment(model, sample, chosen.segmentations, chosen.true_foreground)
        for protocol, (name, each) in product(protocols, labels.items()):
            scores[protocol.name][name][sample.name] = evaluate(each, np.asarray(sample.labels), protocol)
    return scores


def segment(
    model: Model, sample: Sample, segmentations: Mapping[str, Segmentation], true_foreground: bool
) -> dict[str, np.ndarray]:
    """Segment a sample in several ways, from one pass of the network: labels ``(*space)`` by segmentation."""
    affinities, probability = model.affinities(sample.image)
    stored = model.config.segmentation
    inside = np.asarray(sample.labels) > 0 if true_foreground else probability > stored.foreground_threshold
    rules = {"thickness": stored.thickness, "minimum_size": stored.minimum_size}
    return {
        name: SEGMENTERS[each.segmenter](affinities, model.offsets, inside, **rules, **each.settings)
        for name, each in segmentations.items()
    }
