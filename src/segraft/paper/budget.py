"""Budgets: what a run spends where that is not what its recipe says, on machines that cannot do the published one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from segraft.coerce import plain
from segraft.errors import UserError, choose
from segraft.networks import chosen_filters
from segraft.paper.recipe import OFFSETS, Recipe
from segraft.paper.scaling import TEACHERS, scaled
from segraft.settings import DistillSettings, TrainSettings, required

Settings = TypeVar("Settings", bound=TrainSettings)
TRAININGS = {
    "recipe": "as the paper and its released code",
    "package": "as segraft train and segraft distill do where they are told nothing",
}
"""Where settings come from that the budget does not give."""
EXPERIMENT = (
    *("dataset", "root", "out", "options", "network", "width", "filters", "dim", "channels", "teacher", "method"),
    *("offsets", "background", "border", "bank_size", "bank_samples", "tune", "seed", "device", "resume"),
)
"""Settings that make the experiment: they are the recipe's in every training."""
VALIDATIONS = 10
"""At least, in a run whose steps are given."""
NOT_TOLD = {"out", "root", "teacher", "seed", "device", "resume", "validate_every", "workers", "cache_folder"}
"""Settings that decide where a run is made, or that change no score by what they are meant for."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run spends; what is left None is the recipe's."""

    scale: float = 1.0
    """From above 0 to 1: fewer steps, smaller crops and teachers, on a machine that cannot do the whole experiment."""
    steps: int | None = None
    """Of the training, in place of the recipe's; so with ``patch``, ``batch`` and ``rate``."""
    patch: tuple[int, ...] | None = None
    """Size of the training patches in pixels."""
    batch: int | None = None
    """Patches per step."""
    rate: float | None = None
    """Learning rate."""
    teacher_width: int | None = None
    """Of a teacher that is trained: filters per level as width × (1, 2, 4, 8, 16)."""
    cache: int | None = None
    """Patches in a pool that the steps of all students of a teacher draw from, for which it is asked once; it lies in
    the folder of the runs."""
    training: str = "recipe"
    """Whose settings hold otherwise: those of the recipe, or the package's (schedule, augmentation, weights)."""

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Budget:
        """A budget of values by name; ``UserError`` for a name that there is not."""
        for name in values:
            choose("option", name, cls.__dataclass_fields__)
        return cls(**values)

    def __post_init__(self) -> None:
        """Refuse names that there are not; numbers are refused with the settings."""
        choose("training", self.training, TRAININGS)
        if self.teacher_width is not None and self.teacher_width < 1:
            raise UserError(f"teacher_width: got {self.teacher_width}, expected 1 or more")

    @property
    def told(self) -> dict[str, Any]:
        """What differs from the recipe, by name."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}

    def ending(self, chosen: Recipe) -> str:
        """What it adds to the name of a run folder, such as ``-steps-2000-patch-256x256``."""
        applies = {"teacher_width": _has_teacher(chosen), "cache": isinstance(chosen.settings, DistillSettings)}
        told = {name: value for name, value in self.told.items() if applies.get(name, True)}
        return "".join(f"-{name.replace('_', '-')}-{short(value)}" for name, value in told.items())

    def settings(self, chosen: Recipe) -> TrainSettings:
        """Settings of a recipe's training with this budget.

        Raises ``UserError`` for numbers out of range and for a width that the teacher cannot have.
        """
        settings = scaled(chosen.settings if self.training == "recipe" else _usual(chosen), self.scale)
        given = {
            name: value for name in ("steps", "patch", "batch", "rate") if (value := getattr(self, name)) is not None
        }
        if self.cache is not None and isinstance(settings, DistillSettings):
            given["cache"] = self.cache
        if self.steps is not None:
            given["validate_every"] = min(settings.validate_every, max(1, math.ceil(self.steps / VALIDATIONS)))
        if self.patch is not None and len(self.patch) != len(required(chosen.settings.patch)):
            raise UserError(f"patch: got {self.patch}, expected {len(required(chosen.settings.patch))} sizes")
        if self.teacher_width is not None and settings.network in TEACHERS:
            given |= {"filters": chosen_filters(settings.network, None, self.teacher_width)}
        return replace(settings, **given)


def _has_teacher(chosen: Recipe) -> bool:
    """Whether a recipe is one of a teacher, or has one."""
    return chosen.teacher is not None or chosen.settings.network in TEACHERS


def _usual(chosen: Recipe) -> TrainSettings:
    """The recipe's experiment with the package's own settings; weights count per term, not per offset."""
    settings = chosen.settings
    own = {name: getattr(settings, name) for name in EXPERIMENT if hasattr(settings, name)}
    patch = required(settings.patch)
    weights = settings.weights
    count = OFFSETS[len(patch)]
    once = {name: value / count if name in ("affinity", "intra_affinity") else value for name, value in weights.items()}
    return type(settings)(**own, weights=once).for_dimension(len(patch))


def differences(settings: TrainSettings, chosen: Recipe) -> list[str]:
    """How the settings of a training differ from the recipe's, in words."""
    ndim = len(required(chosen.settings.patch))
    before, now = (plain(each.for_dimension(ndim)) for each in (chosen.settings, settings))
    return _compared(now, before)


def told_differences(told: Mapping[str, Any], chosen: Recipe) -> list[str]:
    """The same, of settings of which only some are known, by name."""
    before = plain(chosen.settings)
    return _compared(told, {name: value for name, value in before.items() if name in told})


def _compared(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    changed = [name for name in before if name not in NOT_TOLD and now.get(name) != before[name]]
    return [
        WORDS.get(name, f"{name} {{}}, not {{}}").format(short(now.get(name)), short(before[name])) for name in changed
    ]


WORDS = {
    "steps": "{} of {} steps",
    "patch": "crops of {}, not {}",
    "filters": "filters {}",
    "cache": "a pool of {} patches",
}
"""How a difference is told, where not by the setting's name: this value, then the recipe's."""


def short(value: Any) -> str:
    """A value in few letters."""
    if isinstance(value, list | tuple):
        return (" " if any(isinstance(each, str) for each in value) else "x").join(map(str, value)) or "none"
    if isinstance(value, dict):
        return " ".join(
            f"{name} {each:g}" if isinstance(each, float) else f"{name} {each}" for name, each in value.items()
        )
    return f"{value:g}" if isinstance(value, float) else str(value)
