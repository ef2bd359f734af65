"""Published beside measured: how much of the gap to its teacher a student closed, and what it gained over itself alone.

The gap closed is (student − alone) / (teacher − alone), which is the same for scores of which lower is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import NamedTuple

from segraft.files import digest
from segraft.metrics.bootstrap import paired_difference
from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import spread
from segraft.paper.columns import Column
from segraft.paper.gathering import Group, Run, grouped, same_budget
from segraft.paper.published import PublishedValue
from segraft.paper.recipe import Recipe
from segraft.paper.tables import RECIPES, Part
from segraft.run_folder import RunFolder

NOTHING: Sequence[Group | None] = (None,)
"""The groups of a recipe without a run."""


class Difference(NamedTuple):
    """Mean of method − alone over test images, and its 95 % bootstrap interval over them."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A row of a table: a recipe, and runs of one budget, or none."""

    part: Part
    label: str
    recipe: Recipe
    group: Group | None = None


@dataclass(frozen=True)
class Comparison:
    """The runs of a folder, and what may be compared with what."""

    runs: Sequence[Run]

    @cached_property
    def groups(self) -> dict[str, list[Group]]:
        """By recipe, the published experiment first."""
        return {name: grouped(self.runs, name) for name in dict.fromkeys(run.result.recipe for run in self.runs)}

    def lines(self, part: Part) -> list[Line]:
        """Rows of a part: one for each budget of a recipe, or one without."""
        return [
            Line(part, label, RECIPES[name], group)
            for label, name in part.rows.items()
            for group in self.groups.get(name, NOTHING)
        ]

    def alone(self, group: Group) -> Group | None:
        """The student alone, trained with the same budget and tested on the same images."""
        name = alone_of(group.recipe)
        alike = [each for each in self.groups.get(name or "", []) if each.images == group.images]
        same = [each for each in alike if _same(each, group)]
        exact = [each for each in same if _training(each) == _training(group)]
        return next(iter(exact or same), None)

    def teacher(self, group: Group) -> Group | None:
        """The teacher that the student had; where the result does not tell, the recipe's best one."""
        name, known = RECIPES[group.recipe].teacher, group.first.spent.teacher if group.first.spent else None
        alike = [each for each in self.groups.get(name or "", []) if each.images == group.images]
        if known is None:
            return next(iter(alike), None)
        return next((each for each in alike if any(_digest(run) == known for run in each.runs)), None)

    def gap(self, line: Line, column: Column, protocol: str) -> float | None:
        """The measured gap closed; None where a score is not there, or the teacher is no better than the student."""
        if line.group is None or line.recipe.teacher is None:
            return None
        groups = (line.group, self.alone(line.group), self.teacher(line.group))
        means = [_mean(group, column, protocol) for group in groups]
        return closed(column, *means)

    def difference(self, line: Line, column: Column, protocol: str) -> Difference | None:
        """What a student scored more than alone; None without scores of every image."""
        if line.group is None or line.recipe.teacher is None:
            return None
        alone = self.alone(line.group)
        first = line.group.by_image(column, protocol)
        second = alone.by_image(column, protocol) if alone is not None else {}
        if not first or first.keys() != second.keys():
            return None
        return Difference(*paired_difference(list(first.values()), [second[name] for name in first]))


def published_gap(recipe: Recipe, column: Column) -> tuple[float | None, bool]:
    """The published gap closed, and whether a value in it was not legible; None as for measured ones."""
    alone = alone_of(recipe.name)
    if recipe.teacher is None or alone is None:
        return None, False
    values = [each.published.get(column) for each in (recipe, RECIPES[alone], RECIPES[recipe.teacher])]
    damaged = any(value is not None and value.status == "reconstructed" for value in values)
    return closed(column, *(_score(value) for value in values)), damaged


def closed(column: Column, student: float | None, alone: float | None, teacher: float | None) -> float | None:
    """(student − alone) / (teacher − alone); None without one of them, or where the teacher is no better than alone."""
    rank = SCORES[column.metric].rank
    if student is None or alone is None or teacher is None or not rank(teacher) > rank(alone):
        return None
    return (student - alone) / (teacher - alone)


@cache
def alone_of(name: str) -> str | None:
    """Name of the recipe of the same student without a teacher; None for those that have none themselves."""
    recipe = RECIPES[name]
    if recipe.teacher is None:
        return None
    wanted = _student(recipe)
    return next(each.name for each in RECIPES.values() if each.teacher is None and _student(each) == wanted)


def _student(recipe: Recipe) -> tuple[object, ...]:
    """What a student and the same one alone have in common."""
    settings = recipe.settings
    return settings.dataset, settings.options, settings.network, settings.width


def _same(one: Group, other: Group) -> bool:
    return same_budget(one.first.scale, one.first.spent, other.first.scale, other.first.spent)


def _training(group: Group) -> tuple[object, ...]:
    spent = group.first.spent
    return (spent.training, spent.rate) if spent is not None else ()


def _digest(run: Run) -> str | None:
    """Of the model of a run; None where it is not there any more."""
    model = RunFolder(run.folder).model
    return digest(model) if model.exists() else None


def _mean(group: Group | None, column: Column, protocol: str) -> float | None:
    values = group.values(column, protocol) if group is not None else []
    return spread(values)[0] if values else None


def _score(value: PublishedValue | None) -> float | None:
    return value.score if value is not None else None
