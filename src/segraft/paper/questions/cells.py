"""What the questions on generated cells have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segraft.paper.questions.question import Trial
from segraft.weights import GRAPH_WEIGHTS

TEACHER, ALONE, DISTILLED = "teacher", "student alone", "distilled"
OFFSETS = 10.0
"""Affinities per pixel: affinity terms are summed over them, as in the paper's released code."""
SUPERVISED = {"affinity": OFFSETS}
GRAPH = {**SUPERVISED, "intra_affinity": OFFSETS * GRAPH_WEIGHTS["intra_affinity"]}
SIZE = (192, 192)
"""Of the images in pixels."""
CELLS: dict[str, Any] = {"count": 64, "size": SIZE, "density": 0.5, "occlusion": 0.2}
"""Options of the generated images for training."""
TEST: dict[str, Any] = {"count": 16, "size": SIZE, "density": 0.5, "occlusion": 0.2}
"""The same for the test images, which are the same for all seeds."""
STEPS, TEACHER_STEPS = 400, 600
SHORT: dict[str, Any] = {
    "network": "resunet-tiny",
    "patch": (96, 96),
    "batch": 4,
    "steps": STEPS,
    "rate": 1e-2,
    "warmup": 30,
    "geometry": ("flip", "rotate90"),
    "intensity": ("brightness",),
    "blanks": 0.0,
    "minimum_size": 20,
    "foreground_threshold": 0.5,
    "validate_every": 100,
    "validation_images": 4,
    "tune": False,
    "workers": 0,
}
"""Short trainings of tiny networks. The threshold is the same for all, so that they are compared alike."""
COMMON: dict[str, Any] = {**SHORT, "dataset": "synthetic", "options": CELLS}


def teacher(width: int, name: str = TEACHER, series: str = TEACHER, **further: Any) -> Trial:
    """A teacher of a width; ``further`` are its settings."""
    values = further.pop("values", {})
    settings = {"width": width, "steps": TEACHER_STEPS, "weights": SUPERVISED, **further}
    return Trial(name=name, series=series, settings=settings, values=values)


def alone(name: str = "alone", values: Mapping[str, Any] | None = None, **settings: Any) -> Trial:
    """A student that learns from labels alone."""
    return Trial(name=name, series=ALONE, settings={"weights": SUPERVISED, **settings}, values=values or {})


def distilled(
    name: str = DISTILLED,
    series: str = DISTILLED,
    teacher: str = TEACHER,
    alone: str = "alone",
    values: Mapping[str, Any] | None = None,
    weights: Mapping[str, float] | None = None,
    **settings: Any,
) -> Trial:
    """A student that learns from a teacher, too; ``weights`` are those of terms that differ from the usual."""
    own = {"weights": GRAPH | dict(weights or {}), **settings}
    return Trial(name=name, series=series, settings=own, teacher=teacher, alone=alone, values=values or {})
