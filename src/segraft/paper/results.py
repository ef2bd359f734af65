"""What a finished recipe leaves in its run folder, and how it is found again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from segraft.errors import UserError
from segraft.files import write_text
from segraft.metrics.protocols import OURS
from segraft.metrics.scoring import spread
from segraft.run_folder import RunFolder

BySegmentation = Mapping[str, Mapping[str, float]]
"""Scores by segmentation, then by name."""


@dataclass(frozen=True)
class Result:
    """Scores of a finished recipe on the test images.

    ``scores`` are means over images by protocol, segmentation and name, ``images`` those of every image.
    """

    recipe: str
    scale: float
    seed: int
    note: str
    scores: Mapping[str, BySegmentation]
    images: Mapping[str, Mapping[str, BySegmentation]]

    @property
    def comparable(self) -> bool:
        """Whether it was the published experiment, not a smaller one."""
        return self.scale == 1


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
        return Result(**{name: values[name] for name in Result.__dataclass_fields__})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} holds no scores of a recipe ({type(error).__name__}: {error}), expected what segraft recipe "
            "writes; delete it and run the recipe again"
        ) from error


def finished(runs: Path) -> list[Result]:
    """Results of all runs in a folder."""
    return [
        read(path)
        for path in sorted(RunFolder(each).scores for each in runs.glob("*/") if RunFolder(each).scores.exists())
    ]


@dataclass(frozen=True)
class Measured:
    """One score over seeds."""

    mean: float
    spread: float | None
    """Standard deviation over seeds, where there are several."""
    scale: float

    @property
    def digits(self) -> str:
        """Mean and spread as text."""
        return f"{self.mean:.3f}" + (f" ± {self.spread:.3f}" if self.spread is not None else "")

    def __str__(self) -> str:
        return self.digits if self.scale == 1 else f"{self.digits} (scale {self.scale:g})"


def measured(
    results: Sequence[Result], recipe: str, segmentation: str, metric: str, protocol: str = OURS.name
) -> Measured | None:
    """A recipe's score by a protocol, over the seeds of its largest scale; None where nothing was measured."""
    found = [
        (each.scale, each.scores[protocol][segmentation][metric])
        for each in results
        if each.recipe == recipe and metric in each.scores.get(protocol, {}).get(segmentation, {})
    ]
    if not found:
        return None
    scale = max(each for each, _ in found)
    return Measured(*spread([value for each, value in found if each == scale]), scale)
