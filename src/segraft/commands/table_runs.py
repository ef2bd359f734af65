"""Train what a table lacks, on the data that there are; one failure does not stop the rest."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from segraft.commands.orders import Order
from segraft.commands.reproducing import reproduce
from segraft.commands.table_data import Data, find
from segraft.errors import UserError, out_of_memory
from segraft.files import digest
from segraft.paper.gathering import gather, image_names, same_budget
from segraft.paper.recipe import Recipe
from segraft.paper.results import Result, Spent, read
from segraft.paper.scaling import TEACHERS
from segraft.paper.selection import compared_with
from segraft.paper.tables import RECIPES, Part
from segraft.run_folder import RunFolder
from segraft.signals import code_of


@dataclass(frozen=True)
class Task:
    """A training that is missing."""

    recipe: Recipe
    seed: int
    data: Data

    def __str__(self) -> str:
        return f"{self.recipe.name}, seed {self.seed}"

    @property
    def place(self) -> int:
        """Of its seed among those of the recipe."""
        return self.seed - self.recipe.settings.seed

    def ordered(self, order: Order) -> Order:
        """The order for it; the recipe's own seed is not told, as in its folder's name."""
        seed = None if self.seed == self.recipe.settings.seed else self.seed
        return replace(order, root=self.data.root, seed=seed)


@dataclass
class Attempt:
    """What came of training what a table lacks."""

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Why tasks failed, by recipe and seed."""
    without_data: list[str] = field(default_factory=list)
    """Data sets that are not there, and why, a line each."""

    @property
    def code(self) -> int:
        """The exit code: 0 all done, or nothing to do; 1 some failed; 2 all, or there was no data at all."""
        if self.failed:
            return 1 if self.done else 2
        return 2 if self.without_data and not self.done else 0


def train_missing(parts: Sequence[Part], order: Order, seeds: int) -> Attempt:
    """Train and score what parts of a table lack of so many seeds; a teacher once. What was begun goes on.

    Runs that are there count, adopted models too, where their budget is the order's. Raises ``UserError`` for numbers
    out of range, before anything is trained.
    """
    if seeds < 1:
        raise UserError(f"seeds: got {seeds}, expected 1 or more")
    for name in {name for part in parts for name in part.rows.values()}:
        order.settings(RECIPES[name])
    attempt = Attempt()
    tasks = _tasks(parts, order, seeds, attempt)
    failed: set[str] = set()
    for number, task in enumerate(tasks, 1):
        print(f"[{number} of {len(tasks)}] {task}", flush=True)
        failure = (
            f"its teacher {task.recipe.teacher} failed" if task.recipe.teacher in failed else _failure(task, order)
        )
        if failure is None:
            attempt.done += 1
            continue
        failed.add(task.recipe.name)
        attempt.failed[str(task)] = failure
        print(f"segraft: {task}: {failure}", file=sys.stderr, flush=True)
    return attempt


def _failure(task: Task, order: Order) -> str | None:
    """Do a task; return why it failed, None where it did not."""
    ordered = task.ordered(order)
    try:
        _refuse_others(task, ordered)
        reproduce(task.recipe, ordered)
    except (UserError, OSError, MemoryError, RuntimeError) as error:
        stopped = isinstance(error, UserError) and error.code >= code_of(0)
        lacking = out_of_memory(error)
        if stopped or not (lacking or isinstance(error, UserError | OSError)):
            raise
        return "too little memory; give a smaller --batch or --patch" if lacking else " ".join(str(error).split())
    return None


def _refuse_others(task: Task, order: Order) -> None:
    """Raise ``UserError`` where the run folder has scores of other data, or of a student of another teacher."""
    path = RunFolder(order.folder(task.recipe)).scores
    if not path.exists():
        return
    result = read(path)
    scored = len(image_names(result))
    if scored != task.data.images:
        raise UserError(
            f"{path} has scores of {scored} images, but {task.data.root} holds {task.data.images} test images; "
            "choose another --runs for other data"
        )
    if not _same_teacher(task.recipe, result, order):
        raise UserError(f"{path} is of a student of another teacher than the one there; choose another --runs")


def _tasks(parts: Sequence[Part], order: Order, seeds: int, attempt: Attempt) -> list[Task]:
    """What is missing: the first seed of all recipes, then the second, and so on; teachers come first."""
    results = [run.result for run in gather(order.out).runs]
    missing: dict[str, list[Task]] = {}
    taken: list[Data] = []
    for part in parts:
        recipes = [recipe for recipe in _in_order(part) if recipe.name not in missing]
        try:
            data = find(part, order.root, taken)
        except UserError as error:
            if any(_missing_seeds(recipe, results, order, seeds) for recipe in recipes):
                attempt.without_data.append(f"{part.title}: nothing is trained for want of data: {error}")
            continue
        taken.append(data)
        for recipe in recipes:
            left = _missing_seeds(recipe, [each for each in results if _scored(each, data)], order, seeds)
            missing[recipe.name] = [Task(recipe, seed, data) for seed in left]
    return sorted((task for left in missing.values() for task in left), key=lambda each: each.place)


def _in_order(part: Part) -> list[Recipe]:
    """Recipes of a part and those they are compared with: teachers, students alone, students of teachers."""
    names = dict.fromkeys((*compared_with(part.rows.values()), *part.rows.values()))
    recipes = [recipe for name, recipe in RECIPES.items() if name in names]
    return sorted(recipes, key=lambda each: (each.settings.network not in TEACHERS, each.teacher is not None))


def _missing_seeds(recipe: Recipe, results: Sequence[Result], order: Order, seeds: int) -> list[int]:
    """Seeds to train: the recipe's own and those after it, without those that are done, until there are enough."""
    teacher = recipe.settings.network in TEACHERS
    done = [each.seed for each in results if each.recipe == recipe.name and _is_done(each, recipe, order, teacher)]
    count = (1 if teacher else seeds) - (len({each for each in done if each is not None}) + done.count(None))
    first = recipe.settings.seed
    candidates = (seed for seed in range(first, first + len(done) + seeds) if seed not in done)
    return [seed for seed, _ in zip(candidates, range(count), strict=False)]


def _is_done(result: Result, recipe: Recipe, order: Order, teacher: bool) -> bool:
    """Whether a result is what the order would make, but for the seed; any adopted teacher is."""
    if teacher and result.adopted is not None:
        return True
    settings = order.budget.settings(recipe)
    ours = Spent(
        training=order.budget.training,
        steps=settings.steps,
        patch=settings.patch,
        batch=settings.batch,
        rate=settings.rate,
    )
    spent = result.spent or Spent()
    alike = same_budget(result.scale, result.spent, order.budget.scale, ours)
    own = (spent.filters, spent.cache) == (settings.filters, getattr(settings, "cache", None))
    return alike and own and _same_teacher(recipe, result, order)


def _same_teacher(recipe: Recipe, result: Result, order: Order) -> bool:
    """Whether a student is of the teacher that is there, as far as that is known."""
    if recipe.teacher is None or result.spent is None or result.spent.teacher is None:
        return True
    model = RunFolder(order.teacher_folder(recipe)).model
    return not model.exists() or digest(model) == result.spent.teacher


def _scored(result: Result, data: Data) -> bool:
    """Whether a result is of as many images as the data have; one that does not tell is."""
    return len(image_names(result)) in (0, data.images)
