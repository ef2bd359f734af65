"""Runs of recipes in a folder, and which of them may be averaged: those that differ in the seed only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from segraft.errors import UserError
from segraft.paper.columns import Column
from segraft.paper.results import Result, Spent, groups, read
from segraft.paper.tables import RECIPES
from segraft.run_folder import RunFolder


@dataclass(frozen=True)
class Run:
    """A finished run of a recipe: where it lies, and what it scored."""

    folder: Path
    result: Result


@dataclass(frozen=True)
class Gathered:
    """What a folder of runs holds."""

    runs: tuple[Run, ...]
    damaged: tuple[str, ...] = ()
    """Why results could not be read, a line each."""
    foreign: tuple[str, ...] = ()
    """Run folders of recipes that there are not, or no more."""


@dataclass(frozen=True)
class Group:
    """Runs of a recipe with the same budget, teacher and test images, one of each seed, and copies left out."""

    runs: tuple[Run, ...]
    copies: tuple[Run, ...] = ()
    """Further runs of a seed that is in ``runs``: two of them would make the spread too small."""

    @property
    def first(self) -> Result:
        """A result, for what all have in common."""
        return self.runs[0].result

    @property
    def recipe(self) -> str:
        """Name of the recipe."""
        return self.first.recipe

    @property
    def images(self) -> frozenset[str]:
        """Names of the test images."""
        return image_names(self.first)

    @property
    def seeds(self) -> tuple[int | None, ...]:
        """Of its runs; None where a model does not tell."""
        return tuple(run.result.seed for run in self.runs)

    def values(self, column: Column, protocol: str) -> list[float]:
        """A score of each run; nothing where a run does not have it by that protocol."""
        of_runs = [run.result.scores.get(protocol, {}).get(column.segmentation, {}) for run in self.runs]
        return [each[column.metric] for each in of_runs if column.metric in each] if all(of_runs) else []

    def by_image(self, column: Column, protocol: str) -> dict[str, float]:
        """A score of every test image, the mean over seeds; nothing where a run does not have it."""
        of_runs = [run.result.images.get(protocol, {}).get(column.segmentation, {}) for run in self.runs]
        names = sorted(self.images)
        if not all(name in each and column.metric in each[name] for each in of_runs for name in names):
            return {}
        return {name: fmean(each[name][column.metric] for each in of_runs) for name in names}


def gather(folder: Path) -> Gathered:
    """Read the results of all runs in a folder; of none where there is no folder."""
    runs, damaged, foreign = [], [], []
    for path in sorted(path for path in folder.glob("*/") if RunFolder(path).scores.exists()):
        try:
            result = read(RunFolder(path).scores)
        except UserError as error:
            damaged.append(str(error))
            continue
        if result.recipe in RECIPES:
            runs.append(Run(path, result))
        else:
            foreign.append(f"{path} is of the recipe {result.recipe}, which there is not; left out")
    return Gathered(tuple(runs), tuple(damaged), tuple(foreign))


def grouped(runs: Sequence[Run], recipe: str) -> list[Group]:
    """A recipe's runs by budget, teacher and test images; see `segraft.paper.results.groups` for their order."""
    of_result = {id(run.result): run for run in runs}
    found = []
    for results in groups([run.result for run in runs], recipe):
        by_images: dict[frozenset[str], list[Run]] = {}
        for result in results:
            by_images.setdefault(image_names(result), []).append(of_result[id(result)])
        found += [_group(by_images[names]) for names in sorted(by_images, key=len, reverse=True)]
    return found


def _group(runs: Sequence[Run]) -> Group:
    """The first run of each seed, and the copies; of runs whose seed is not known all."""
    kept: dict[int | str, Run] = {}
    copies = []
    for run in runs:
        seed = run.result.seed
        key = str(run.folder) if seed is None else seed
        if key in kept:
            copies.append(run)
        else:
            kept[key] = run
    return Group(tuple(kept.values()), tuple(copies))


def image_names(result: Result) -> frozenset[str]:
    """Names of the test images of a result."""
    return frozenset(
        name for protocol in result.images.values() for segmented in protocol.values() for name in segmented
    )


def same_budget(scale: float, one: Spent | None, other_scale: float, other: Spent | None) -> bool:
    """Whether two trainings had the same steps, patches, batch, rate and settings otherwise.

    What is not known of a model that was trained elsewhere (its rate, whose settings it had) counts as the same.
    """
    if one is None or other is None or scale != other_scale:
        return one is other and scale == other_scale
    adopted = "adopted" in (one.training, other.training)
    known = [(one.steps, other.steps), (one.patch, other.patch), (one.batch, other.batch)]
    rates = {rate for rate in (one.rate, other.rate) if rate is not None or not adopted}
    return (
        all(a == b and a is not None for a, b in known)
        and len(rates) <= 1
        and (adopted or one.training == other.training)
    )
