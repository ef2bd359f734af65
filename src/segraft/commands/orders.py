"""How recipes are to be run: with which data, budget and seed, in which folders."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segraft.errors import UserError
from segraft.model import model_file
from segraft.paper import RECIPES, Recipe
from segraft.paper.budget import Budget
from segraft.run_folder import MODEL, RunFolder
from segraft.settings import DistillSettings, TrainSettings

ADOPTED = "-adopted"
"""In the names of folders whose model was trained elsewhere."""
CACHE = "cache"
"""Folder, beside the runs, of the pools of patches that they share."""


@dataclass(frozen=True)
class Order:
    """How recipes are to be run; the parameters of ``recipe``."""

    root: Path
    out: Path
    budget: Budget = field(default_factory=Budget)
    seed: int | None = None
    device: str = "auto"
    resume: bool = False

    def folder(self, chosen: Recipe) -> Path:
        """Run folder of a recipe."""
        seed = "" if self.seed in (None, chosen.settings.seed) else f"-seed-{self.seed}"
        teacher = f"-teacher{ADOPTED}" if self.adopted_teacher(chosen) is not None else ""
        return self.out / f"{chosen.name}{self.budget.ending(chosen)}{teacher}{seed}"

    def settings(self, chosen: Recipe) -> TrainSettings:
        """Complete settings of a recipe's training."""
        settings = self.budget.settings(chosen)
        seed = settings.seed if self.seed is None else self.seed
        settings = replace(settings, root=self.root, out=self.folder(chosen), seed=seed, device=self.device)
        if isinstance(settings, DistillSettings):
            teacher = self.adopted_teacher(chosen)
            if teacher is not None:  # both must see the same images
                settings = replace(settings, percentiles=model_file.read_config(teacher).percentiles)
            shared = None if settings.cache is None else self.out / CACHE
            settings = replace(settings, teacher=self.teacher_folder(chosen), cache_folder=shared)
        return settings

    def of_teacher(self) -> Order:
        """The order for the teacher, which has its recipe's seed for all students."""
        return replace(self, seed=None)

    def teacher_folder(self, chosen: Recipe) -> Path:
        """Run folder of a recipe's teacher: the adopted one, or the one that this order trains."""
        return self.adopted_teacher(chosen) or self.of_teacher().folder(teacher_of(chosen))

    def adopted_teacher(self, chosen: Recipe) -> Path | None:
        """Folder of the adopted teacher of a recipe; ``UserError`` where several are there."""
        if chosen.teacher is None:
            return None
        found = sorted(path.parent for path in self.out.glob(f"{chosen.teacher}{ADOPTED}*/{MODEL}"))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UserError(
                f"{self.out} has the adopted teachers {names}, expected one; keep one, or choose another --out"
            )
        if found and self.budget.teacher_width is not None:
            raise UserError(
                f"teacher_width: got {self.budget.teacher_width}, but {found[0]} is the teacher; omit it, or choose "
                "another --out"
            )
        return found[0] if found else None

    def needs_teacher(self, chosen: Recipe) -> bool:
        """Whether a recipe's teacher has to be trained first, or to be finished."""
        if chosen.teacher is None or self.adopted_teacher(chosen) is not None:
            return False
        return not RunFolder(self.of_teacher().folder(teacher_of(chosen))).scores.exists()

    def check(self, chosen: Recipe) -> None:
        """Raise ``UserError`` for what cannot work, before a teacher is trained for days."""
        folder = self.settings(chosen).out
        if folder.exists() and not self.resume:
            raise UserError(f"{folder} is there already, expected a new run; add --resume, or choose another --out")
        if self.needs_teacher(chosen):
            self.of_teacher().check(teacher_of(chosen))

    def command(self, chosen: Recipe, **further: Any) -> str:
        """What runs it, with all options that matter for its scores."""
        options = {"root": self.root, **further, **self.budget.told}
        if self.seed is not None:
            options["seed"] = self.seed
        return shlex.join(["segraft", "recipe", chosen.name, *_words(options)])


def _words(options: Mapping[str, Any]) -> list[str]:
    """Options as words of a command line."""
    words = []
    for name, value in options.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words


def teacher_of(chosen: Recipe) -> Recipe:
    """The recipe of a recipe's teacher."""
    return RECIPES[chosen.teacher or ""]
