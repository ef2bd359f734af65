"""What a finished recipe leaves in its run folder, and how it is found again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from segraft.errors import UserError
from segraft.files import write_text
from segraft.metrics.protocols import OURS
from segraft.metrics.scoring import spread
from segraft.run_folder import RunFolder

BySegmentation = Mapping[str, Mapping[str, float]]
"""Scores by segmentation, then by name."""


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a run was trained with, by which it is known whether another one differs from it in the seed only."""

    training: str = "recipe"
    """A name of `segraft.paper.budget.TRAININGS`; ``adopted`` where the model was trained elsewhere."""
    steps: int | None = None
    patch: tuple[int, ...] | None = None
    batch: int | None = None
    rate: float | None = None
    filters: tuple[int, ...] | None = None
    """Filters per level, where they are not the network's own."""
    cache: int | None = None
    """Patches in the pool that steps drew from; None where each step had new ones."""
    teacher: str | None = None
    """First digits of the SHA-256 of the teacher's model; None without a teacher, and where it is not known."""

    @property
    def pixels(self) -> int:
        """Pixels that training saw; 0 where that is not known."""
        known = self.steps is not None and self.batch is not None and self.patch is not None
        return self.steps * self.batch * math.prod(self.patch) if known else 0  # type: ignore[operator, arg-type]

    def __str__(self) -> str:
        size = "" if self.patch is None else f" × {'×'.join(map(str, self.patch))}"
        crops = f"{self.steps} steps of {self.batch}{size}" if self.steps is not None else "unknown steps"
        pool = "" if self.cache is None else f" from a pool of {self.cache}"
        return f"{crops}{pool}" if self.training == "recipe" else f"{crops}{pool}, {self.training}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """Scores of a finished recipe on the test images.

    ``scores`` are means over images by protocol, segmentation and name, ``images`` those of every image.
    """

    recipe: str
    scale: float
    seed: int | None
    """None where the model does not tell."""
    note: str
    """What differs from the recipe, in one line; empty where nothing does."""
    scores: Mapping[str, BySegmentation]
    images: Mapping[str, Mapping[str, BySegmentation]]
    differs: tuple[str, ...] = ()
    """The same, one by one."""
    spent: Spent | None = None
    """None in results of earlier versions."""
    adopted: str | None = None
    """Path of the model that was trained elsewhere."""
    hardware: Mapping[str, Any] = field(default_factory=dict)
    """Where it was trained (this machine) and scored: ``device``, ``name``, ``threads``."""
    seconds: Mapping[str, float | None] = field(default_factory=dict)
    """Of ``training`` (None where that is not known) and ``scoring``."""
    command: str = ""
    """What made it."""

    @property
    def comparable(self) -> bool:
        """Whether it was the published experiment, not a smaller or another one."""
        return not self.note

    @property
    def group(self) -> tuple[float, Spent | None]:
        """What results have in common that differ in the seed only."""
        return self.scale, self.spent


def write(result: Result, out: Path) -> Path:
    """Write a result into its run folder and return the path."""
    path = RunFolder(out).scores
    write_text(path, json.dumps({**asdict(result), "comparable": result.comparable}, indent=1) + "\n")
    return path


def read(path: Path) -> Result:
    """Read a result; ``UserError`` where the file holds none. One without protocols, as written before, is ours."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if OURS.name not in values["scores"]:
            values |= {name: {OURS.name: values[name]} for name in ("scores", "images")}
        if values.get("spent") is not None:
            values["spent"] = _spent(values["spent"])
        values["differs"] = tuple(values.get("differs", ()))
        _check_numbers(values["scores"])
        for by_segmentation in values["images"].values():
            _check_numbers(by_segmentation)
        return Result(
            **{each.name: values[each.name] for each in fields(Result) if _required(each) or each.name in values}
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{path} holds no scores of a recipe ({type(error).__name__}: {error}), expected what segraft recipe "
            "writes; delete it and run the recipe again"
        ) from error


def _check_numbers(scores: Mapping[str, BySegmentation]) -> None:
    """Raise ``ValueError`` for a score that is no finite number."""
    for by_name in (each for outer in scores.values() for each in outer.values()):
        for name, value in by_name.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}")


def _spent(values: Mapping[str, Any]) -> Spent:
    """From JSON, where tuples are lists."""
    tuples: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in values.items()}
    return Spent(**tuples)


def _required(item: Field[Any]) -> bool:
    """Whether a field has no default, as those that results always had."""
    return item.default is MISSING and item.default_factory is MISSING


@dataclass(frozen=True)
class Measured:
    """One score over the seeds of one budget."""

    mean: float
    spread: float | None
    """Standard deviation over seeds, where there are several."""
    results: tuple[Result, ...]
    """Of which it is the mean."""

    @property
    def digits(self) -> str:
        """Mean and spread as text."""
        return f"{self.mean:.3f}" + (f" ± {self.spread:.3f}" if self.spread is not None else "")

    @property
    def told(self) -> str:
        """What was spent, where it is not the published experiment."""
        first = self.results[0]
        if first.comparable:
            return ""
        return f"scale {first.scale:g}" if first.scale != 1 or first.spent is None else str(first.spent)

    def __str__(self) -> str:
        return f"{self.digits} ({self.told})" if self.told else self.digits


def groups(results: Sequence[Result], recipe: str) -> list[tuple[Result, ...]]:
    """A recipe's results by budget, seeds together; the published experiment first, then the one that saw most."""
    found: dict[tuple[float, Spent | None], list[Result]] = {}
    for each in results:
        if each.recipe == recipe:
            found.setdefault(each.group, []).append(each)
    return [tuple(found[key]) for key in sorted(found, key=lambda key: _worth(found[key][0]), reverse=True)]


def _worth(result: Result) -> tuple[bool, int, float]:
    """By which budgets are sorted."""
    return result.comparable, result.spent.pixels if result.spent is not None else 0, result.scale


def measured(
    results: Sequence[Result], recipe: str, segmentation: str, metric: str, protocol: str = OURS.name
) -> Measured | None:
    """A recipe's score by a protocol, over the seeds of the first of its ``groups`` that has it; None without one."""
    for group in groups(results, recipe):
        having = tuple(each for each in group if metric in each.scores.get(protocol, {}).get(segmentation, {}))
        if having:
            return Measured(*spread([each.scores[protocol][segmentation][metric] for each in having]), having)
    return None
