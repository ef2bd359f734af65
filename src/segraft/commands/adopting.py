"""Take a model that was trained elsewhere as the run of a recipe."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segraft.coerce import make
from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.model import model_file
from segraft.model.config import ModelConfig
from segraft.networks import chosen_filters, own_filters
from segraft.paper import Recipe
from segraft.paper.budget import differences, short, told_differences
from segraft.paper.results import Spent
from segraft.run_folder import MODEL, RunFolder
from segraft.settings import DistillSettings, TrainSettings

TOLD = ("steps", "patch", "batch")
"""Settings of which model files tell, and which make a budget."""


@dataclass(frozen=True)
class Adopted:
    """A model trained elsewhere, and what it tells of its training."""

    source: Path
    """Run folder or model file."""
    told: dict[str, Any]
    """Settings by name, as far as they are known: all of a run folder's, some of a file's."""

    @property
    def seed(self) -> int | None:
        """Its seed, where it tells it."""
        return self.told.get("seed")

    def ending(self) -> str:
        """What it adds to the name of the run folder."""
        known = {name: self.told.get(name) for name in (*TOLD, "cache")} | {"seed": self.seed}
        return "".join(f"-{name}-{short(value)}" for name, value in known.items() if value is not None)

    def differs(self, chosen: Recipe) -> list[str]:
        """What of its training differs from the recipe's, and what is not known."""
        if "rate" in self.told:  # a whole configuration
            kind = DistillSettings if "teacher" in self.told else TrainSettings
            return differences(make(kind, self.told), chosen)
        named = {name: value for name, value in self.told.items() if name in TOLD}
        unknown = [name for name in (*TOLD, "seed", "dataset") if self.told.get(name) is None]
        rest = ["other settings of its training are not told by the file"]
        return [*told_differences(named, chosen), *(f"{name} unknown" for name in unknown), *rest]

    def spent(self, teacher: str | None) -> Spent:
        """Its budget."""
        patch = self.told.get("patch")
        return Spent(
            training="adopted",
            steps=self.told.get("steps"),
            patch=None if patch is None else tuple(patch),
            batch=self.told.get("batch"),
            rate=self.told.get("rate"),
            cache=self.told.get("cache"),
            teacher=teacher,
        )

    def copy(self, folder: Path) -> None:
        """Copy the model into a run folder, with the settings and metrics of its own run folder where it has one."""
        files = {MODEL: model_file.locate(self.source)}
        if self.source.is_dir():
            own = RunFolder(self.source)
            files = {path.name: path for path in (own.config, own.metrics) if path.exists()} | files
        for name, file in files.items():
            with unwritable(folder / name), replacing(folder / name) as temporary:
                shutil.copyfile(file, temporary)


def adopted(source: str | Path, chosen: Recipe, seed: int | None = None) -> Adopted:
    """Read a model and check that it may be a recipe's.

    Raises ``UserError`` where it has another network, other filters, another data set, method or seed, as far as it
    tells, and where it cannot be read.
    """
    from segraft.model import checkpoint  # PyTorch, which printing results does without

    source = Path(source)
    _, config = checkpoint.restore(source)
    told = {name: value for name, value in config.training.items() if value is not None}
    if source.is_dir() and RunFolder(source).config.exists():
        told = RunFolder(source).settings()
    wanted: dict[str, tuple[Any, Any]] = {
        "network": (config.network.name, chosen.settings.network),
        "filters": (_filters(config), _own_filters(chosen.settings)),
    }
    if told.get("dataset") is not None:
        wanted["dataset"] = (told["dataset"], chosen.settings.dataset)
        wanted["method"] = (told.get("method", "none"), chosen.method)
    if seed is not None and told.get("seed") is not None:
        wanted["seed"] = (told["seed"], seed)
    for name, (has, should) in wanted.items():
        if has != should:
            raise UserError(
                f"{source}: got the {name} {short(has)}, expected {short(should)}, which {chosen.name} has; "
                "choose another model or recipe"
            )
    return Adopted(source, told if seed is None else {**told, "seed": seed})


def _filters(config: ModelConfig) -> tuple[int, ...]:
    """Filters per level of a model."""
    return config.network.filters or own_filters(config.network.name)


def _own_filters(settings: TrainSettings) -> tuple[int, ...]:
    """Filters per level that a recipe's network has."""
    return chosen_filters(settings.network, settings.filters, settings.width) or own_filters(settings.network)
