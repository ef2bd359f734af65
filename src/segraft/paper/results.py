"""What a finished recipe leaves in its run folder, and how it is found again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from segraft.errors import UserError
from segraft.files import write_text
from segraft.metrics.scoring import spread
from segraft.run_folder import RunFolder


@dataclass(frozen=True)
class Result:
    """Scores of a finished recipe on the test images.

    ``scores`` are means over images by segmentation and name, ``images`` those of every image.
    """

    recipe: str
    scale: float
    seed: int
    note: str
    scores: Mapping[str, Mapping[str, float]]
    images: Mapping[str, Mapping[str, Mapping[str, float]]]

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
    """Read a result; ``UserError`` where the file holds none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
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

    def __str__(self) -> str:
        text = f"{self.mean:.3f}" + (f" ± {self.spread:.3f}" if self.spread is not None else "")
        return text if self.scale == 1 else f"{text} (scale {self.scale:g})"


def measured(results: Sequence[Result], recipe: str, segmentation: str, metric: str) -> Measured | None:
    """A recipe's score over the seeds of its largest scale; None where nothing was measured."""
    own = [each for each in results if each.recipe == recipe and metric in each.scores.get(segmentation, {})]
    if not own:
        return None
    scale = max(each.scale for each in own)
    values = [each.scores[segmentation][metric] for each in own if each.scale == scale]
    return Measured(*spread(values), scale)
