"""What a recipe is, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segraft.paper.columns import Column
from segraft.paper.published import PublishedValue
from segraft.settings import DistillSettings, TrainSettings
from segraft.weights import METHOD_WEIGHTS

Published = Mapping[Column, PublishedValue]
"""Published scores by column."""
OFFSETS = {2: 10, 3: 3}
"""Affinities per pixel, by dimension. The released code sums over them where we take means."""
FOREGROUNDS = {
    "learnt": "the network's own",
    "truth": "the ground truth's, as the released code does on CVPPP",
    "none": "everywhere, as waterz and LMC label every voxel",
}
"""Where objects are searched for."""
COMMON: dict[str, Any] = {
    "batch": 2,
    "steps": 300_000,
    "rate": 1e-4,
    "betas": (0.9, 0.99),
    "warmup": 0,
    "schedule": "constant",
    "clip": None,
    "seed": 555,
    "validate_every": 5000,
    "percentiles": (1.0, 99.8),
    "blanks": 0.0,
    "foreground_threshold": 0.5,
    "tune": False,
}
"""Batch, iterations, constant rate and seed as in the four configurations of the released code (GRDBIS, ``config/``),
β as in the paper. We validate every 5000 steps, not 1000."""
IMAGES: dict[str, Any] = {
    "minimum_size": 10,
    "validation_images": 16,
    "monitor": "aji",
    "intensity": ("brightness", "contrast", "gamma", "noise", "blur"),
}
VOLUMES: dict[str, Any] = {
    "patch": (53, 268, 268),
    "offsets": "3d",
    "background": "separate",
    "border": 1,
    "monitor": "voi",
    "geometry": ("flip", "rotate90", "rotate", "elastic"),
    "intensity": ("brightness", "contrast", "gamma"),
}
"""``data_provider_EM.py`` of the released code: crop, borders widened by 1, flip, rotation, elastic, grey values. In
volumes Eqs. 5 and 6 see one distance per axis, N = 1."""


@dataclass(frozen=True)
class Segmentation:
    """A segmenter by name, and its settings where they are not the defaults."""

    segmenter: str = "mutex"
    settings: Mapping[str, Any] = field(default_factory=dict)


DENSE = "mutex-dense"
MUTEX = {"mutex": Segmentation("mutex", {"strides": (5, 5)}), DENSE: Segmentation("mutex", {"strides": (1, 1)})}
"""Repulsive edges on a grid of every fifth pixel, as published; and all of them, as the package does by default."""
NEURONS = {
    # inference_EM.py: fragments at 0.5, mean affinity, threshold 0.5
    "waterz": Segmentation("waterz", {"threshold": 0.5, "score": "mean"}),
    # utils_EM/lmc.py: fragments at 0.25 of the worse affinity in the plane, then the multicut by Kernighan-Lin
    "lmc": Segmentation("multicut", {"boundary": 0.25, "worst": True}),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Frozen settings of one published experiment; ``settings.out`` and ``settings.teacher`` are names of recipes.

    The command is ``segraft recipe NAME --root DIR``, the cost `segraft.paper.cost.cost`.
    """

    name: str
    """Unique; also the name of the run folder."""
    place: str
    """Where the paper has it: ``table2`` to ``table6``, or ``fig6``."""
    row: str
    """What the experiment is called there."""
    settings: TrainSettings
    """Of the training."""
    columns: tuple[Column, ...]
    """What of it is published."""
    teacher: str | None = None
    """Name of the teacher's recipe."""
    segmentations: Mapping[str, Segmentation] = field(default_factory=lambda: MUTEX)
    """From affinities to instances, by the name that the table calls it."""
    foreground: str = "learnt"
    """Where objects are searched for: a name of ``FOREGROUNDS``."""
    published: Published = field(default_factory=dict)
    """Published scores, with their source; empty where the paper has none."""
    stands_for: str = ""
    """Data set of the paper in whose place this one stands; empty where it is the paper's own."""
    notes: str = ""
    """What else there is to know."""

    @property
    def table(self) -> int | None:
        """Number of the paper's table; None where it is a figure's."""
        number = self.place.removeprefix("table")
        return int(number) if number.isdigit() else None

    @property
    def method(self) -> str:
        """How it learns from a teacher; ``none`` where it does not."""
        return self.settings.method if isinstance(self.settings, DistillSettings) else "none"

    @property
    def command(self) -> str:
        """What runs it."""
        return f"segraft recipe {self.name} --root DIR"

    def score(self, segmentation: str, metric: str) -> float | None:
        """A published score in our units (fractions, not percent), or None where the paper has none."""
        for column, value in self.published.items():
            if column[1:] == (segmentation, metric):
                return value.score
        return None


def weights(method: str, ndim: int, changes: Mapping[str, float] | None = None) -> dict[str, float]:
    """Weights of the affinity terms as the released code sums them: over all offsets, on the published weights.

    ``changes`` are other weights of the method's terms, in the paper's scale.
    """
    terms = METHOD_WEIGHTS[method] | dict(changes or {})
    affinity = {name: value for name, value in terms.items() if name == "intra_affinity" or name in (changes or {})}
    summed = {name: value * (OFFSETS[ndim] if name == "intra_affinity" else 1) for name, value in affinity.items()}
    return {"affinity": float(OFFSETS[ndim]), **summed}


def alone(name: str, ndim: int, **settings: Any) -> TrainSettings:
    """Settings of a teacher, or of a student without one."""
    common = COMMON | (IMAGES if ndim == 2 else VOLUMES)
    return TrainSettings(out=Path(name), **{"weights": weights("none", ndim), **common, **settings})


def distilled(
    name: str, ndim: int, teacher: str, method: str, changes: Mapping[str, float] | None = None, **settings: Any
) -> DistillSettings:
    """Settings of a student that learns from the run of another recipe."""
    common = COMMON | (IMAGES if ndim == 2 else VOLUMES) | {"weights": weights(method, ndim, changes)}
    return DistillSettings(out=Path(name), teacher=Path(teacher), method=method, **{**common, **settings})
