"""The models of a figure: runs of recipes on disk, models trained otherwise, and what is to be trained first."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from segraft.commands.orders import Order
from segraft.commands.recipe_scores import segment
from segraft.commands.reproducing import reproduce
from segraft.errors import UserError
from segraft.metrics.protocols import OURS
from segraft.model.model import Model, load
from segraft.paper import RECIPES, Recipe
from segraft.paper.figures import COLUMNS, Drawing, Pair, fullest, in_order, pairs_on
from segraft.paper.gathering import Run, gather
from segraft.paper.results import groups
from segraft.run_folder import RunFolder
from segraft.types import Sample


@dataclass(frozen=True)
class Contender:
    """A column of a figure: a run of a recipe, or a model that was trained otherwise."""

    name: str
    path: Path
    run: Run | None = None
    device: str = "auto"

    @property
    def title(self) -> str:
        """What its column is called."""
        return COLUMNS.get(self.name, self.name)

    @property
    def told(self) -> str:
        """Where it comes from, in words."""
        result = self.run.result if self.run is not None else None
        differs = f" ({result.note})" if result is not None and result.note else ""
        return f"{self.title}: {self.path}{differs}"

    @property
    def recipe(self) -> Recipe | None:
        """The recipe that says how it segments; without one the model does."""
        return RECIPES[self.run.result.recipe] if self.run is not None else None

    @cached_property
    def model(self) -> Model:
        """The model, loaded when it is needed. Raises ``UserError`` where there is none."""
        return load(self.path, self.device)

    def labels(self, sample: Sample) -> np.ndarray:
        """Segment a sample: labels ``(*space)``. A recipe's run is segmented by the first of the recipe's ways."""
        if self.recipe is None:
            return self.model.predict(sample.image)
        return next(iter(segment(self.model, sample, self.recipe).values()))

    def known_score(self, image: str, metric: str) -> float | None:
        """What a run scored on a test image by the protocol ours; None where that is not known."""
        if self.run is None or self.recipe is None:
            return None
        of_run = self.run.result.images.get(OURS.name, {}).get(next(iter(self.recipe.segmentations)), {})
        return of_run.get(image, {}).get(metric)

    def check(self, drawing: Drawing) -> None:
        """Raise ``UserError`` for a model of another dimension."""
        ndim = self.model.geometry.ndim
        if ndim != drawing.ndim:
            raise UserError(
                f"{self.path}: got a model of {ndim}-D images, expected one of {drawing.ndim}-D for this figure; "
                "leave it out"
            )


@dataclass(frozen=True)
class Wanted:
    """What the user wants drawn; the parameters of ``figure``."""

    runs: Path | None
    models: Mapping[str, Path] = field(default_factory=dict)
    dataset: str | None = None
    root: Path | None = None
    options: Mapping[str, Any] | None = None
    device: str = "auto"


@dataclass(frozen=True)
class Cast:
    """The models of a figure in the order of its columns, its data, and what is to be said of both."""

    contenders: Sequence[Contender]
    dataset: str
    root: Path | str | None
    options: Mapping[str, Any]
    notes: Sequence[str]


def named_models(texts: Sequence[str]) -> dict[str, Path]:
    """Paths of models by name, from ``NAME=FILE``. Raises ``UserError`` for other texts and a name that comes twice."""
    models: dict[str, Path] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not (name and sign and path):
            raise UserError(f"model: got {text!r}, expected NAME=FILE, graph=student.safetensors for example")
        if name in models:
            raise UserError(f"model: got the name {name!r} twice, expected different ones; rename one")
        if not Path(path).exists():
            raise UserError(f"model: {path} does not exist, expected a model file or a run folder; check the path")
        models[name] = Path(path)
    return models


def runs_in(folder: Path) -> Sequence[Run]:
    """All finished runs of recipes in a folder; one that cannot be read, or has no recipe, is told on stderr."""
    found = gather(folder)
    for line in (*found.damaged, *found.foreign):
        print(f"skipped {line}", file=sys.stderr)
    return found.runs


def best(found: Sequence[Run]) -> dict[str, Run]:
    """The first run of each recipe's best budget, by the recipe's name."""
    results = [run.result for run in found]
    first = {name: groups(results, name)[0][0] for name in dict.fromkeys(each.recipe for each in results)}
    return {name: next(run for run in found if run.result is result) for name, result in first.items()}


def cast_of(number: int, drawing: Drawing, wanted: Wanted, order: Order | None) -> Cast:
    """Find the models of a figure; with an ``order``, train those of its pair that are missing.

    Raises ``UserError`` where there is none, or it is not known on which data.
    """
    datasets = drawing.datasets if wanted.dataset is None else (wanted.dataset,)
    runs = best(runs_in(wanted.runs)) if wanted.runs is not None else {}
    pair = fullest(pairs_on(datasets), runs)
    if order is not None:
        pair = pair or _first_pair(number, datasets)
        names = [name for column, name in pair.recipes.items() if column not in wanted.models]
        reproduce_missing(names, runs, order)
        runs = best(runs_in(order.out))
    if pair is None and not wanted.models:
        raise UserError(nothing_on(datasets, wanted.runs, runs))
    recipes = pair.recipes if pair is not None else {}
    own = {column: runs[name] for column, name in recipes.items() if name in runs}
    contenders = {
        name: Contender(name, run.folder, run, wanted.device) for name, run in own.items() if name not in wanted.models
    }
    contenders |= {name: Contender(name, path, device=wanted.device) for name, path in wanted.models.items()}
    ordered = [contenders[name] for name in in_order(contenders)]
    for each in ordered:
        each.check(drawing)
    return _cast(ordered, pair, wanted, own)


def reproduce_missing(names: Sequence[str], runs: Mapping[str, Run], order: Order) -> None:
    """Run the recipes that have no finished run; one that was interrupted goes on."""
    for name in names:
        if name not in runs:
            reproduce(RECIPES[name], order)


def nothing_on(datasets: Sequence[str], folder: Path | None, runs: Mapping[str, Run]) -> str:
    """That there are no runs, in one line."""
    there = sorted({RECIPES[name].settings.dataset for name in runs if name in RECIPES})
    other = f", which has runs on {', '.join(there)}" if there else ""
    advice = f"give --dataset {there[0]}, " if there else ""
    return (
        f"runs: got no finished run of a student on {' or '.join(datasets)} in {folder}{other}; expected those of "
        f"segraft recipe; {advice}--run, or --model NAME=FILE with --dataset"
    )


def _first_pair(number: int, datasets: Sequence[str]) -> Pair:
    found = pairs_on(datasets)
    if not found:
        raise UserError(f"figure {number}: got the data set {datasets[0]}, of which there is no recipe; omit --run")
    return found[0]


def _cast(contenders: Sequence[Contender], pair: Pair | None, wanted: Wanted, own: Mapping[str, Run]) -> Cast:
    """With the data, the user's or that of the runs, and notes."""
    dataset = wanted.dataset or (pair.bench.dataset if pair is not None else None)
    if dataset is None:
        raise UserError("dataset: got models without a data set, expected its name; give --dataset and --root")
    root: Path | str | None = wanted.root
    options = wanted.options if wanted.options is not None else (pair.bench.settings.get("options", {}) if pair else {})
    recorded = [run.folder for run in own.values() if RunFolder(run.folder).config.exists()]
    if root is None and recorded:
        root = RunFolder(recorded[0]).data().root
    notes = [str(pair) + "."] if pair is not None and own else []
    notes += [each.told for each in contenders]
    here = {each.name for each in contenders}
    if missing := {name: recipe for name, recipe in (pair.recipes if pair else {}).items() if name not in here}:
        columns = ", ".join(COLUMNS[name] for name in missing)
        notes.append(f"No run of {columns}; one is made by segraft recipe {next(iter(missing.values()))} --root DIR.")
    return Cast(contenders, dataset, root, dict(options), notes)
