"""A question as it is asked: with which data, scale and model, in which folder; and that it is the same as before."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segraft.coerce import plain
from segraft.data import open_dataset
from segraft.data.bbbc039 import bbbc039, image_files
from segraft.errors import UserError
from segraft.files import digest, read_json, write_text
from segraft.model.model_file import locate
from segraft.paper.budget import short
from segraft.paper.questions.question import GIVEN, Condition, Question, Trial
from segraft.settings import DistillSettings, TrainSettings
from segraft.types import Sample

RUNS, RESULTS, BUDGET, PLOT = "runs", "results.csv", "budget.json", "plot"
"""Names in the folder of a question."""
SCALED = {"steps": 1, "warmup": 0, "validate_every": 1, "validation_images": 1, "cache": 4}
"""Settings that shrink with the scale, and the least of each."""
IMAGES = 2
"""Least number of images."""
NOT_TOLD = ("out", "root", "teacher", "seed", "device", "resume", "unlabelled", "cache_folder", "workers")
"""Settings that decide where a run is made, or that differ between seeds."""
SHOWN = 3
"""Differences that are named."""


@dataclass(frozen=True)
class Asked:
    """A question, and how it is to be answered."""

    question: Question
    out: Path
    """Folder of the question."""
    root: Path | None = None
    model: Path | None = None
    scale: float = 1.0
    device: str = "cpu"

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The trials that can be made: those of a given model where there is one."""
        return tuple(trial for trial in self.question.trials if trial.teacher != GIVEN or self.model is not None)

    @property
    def images(self) -> int:
        """Test images of each condition."""
        return self.shrunk(self.question.images, IMAGES)

    def shrunk(self, number: int, least: int) -> int:
        """A number at the scale."""
        return max(least, math.ceil(number * self.scale))

    def folder(self, name: str, seed: int) -> Path:
        """Run folder of a trial."""
        return self.out / RUNS / f"{name}-seed-{seed}"

    def settings(self, trial: Trial, seed: int) -> TrainSettings:
        """Settings of a training."""
        common = self.question.settings
        options = {**common.get("options", {}), **trial.settings.get("options", {}), "seed": seed}
        values: dict[str, Any] = {**common, **trial.settings, "options": self._scaled_options(options)}
        values |= {name: self.shrunk(values[name], least) for name, least in SCALED.items() if name in values}
        values |= {"root": self.root, "out": self.folder(trial.name, seed), "seed": seed, "device": self.device}
        if trial.teacher is None:
            return TrainSettings(**values)
        if trial.unlabelled:
            values["unlabelled"] = self._unlabelled(options)
        if "cache" in values:
            values["cache_folder"] = self.out / "cache"
        teacher = self.model if trial.teacher == GIVEN else self.folder(trial.teacher, seed)
        return DistillSettings(**values, teacher=teacher)

    def samples(self, condition: Condition) -> list[Sample]:
        """The test images of a condition: as many as are wanted, evenly from all that there are."""
        dataset, options = self.question.settings["dataset"], {**self.question.test, **condition.options}
        found = open_dataset(dataset, self.root, "test", **options)
        count = min(self.images, len(found))
        return [found[number * len(found) // count] for number in range(count)]

    def watches(self, trial: Trial) -> bool:
        """Whether the embeddings of a trial are looked at while it learns: those of students."""
        return bool(self.question.drift) and trial.name not in self.question.teachers

    def check(self) -> None:
        """Raise ``UserError`` where data are missing, or where the folder has results of something else."""
        if self.question.data is not None:
            for split in ("train", "val", "test"):
                open_dataset(self.question.settings["dataset"], self.root, split)
        path = self.out / BUDGET
        if not path.exists():
            return
        before, now = read_json(path, "the budget of a question"), json.loads(json.dumps(self._budget()))
        if found := list(_differences(before, now)):
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise UserError(
                f"{self.out} has results of another budget: {', '.join(found[:SHOWN])}{more}; give the same, or choose "
                "another --out"
            )

    def record(self) -> None:
        """Write with what the results are made, beside what was written before."""
        path = self.out / BUDGET
        before = read_json(path, "the budget of a question") if path.exists() else {}
        trials = {**before.get("trials", {}), **self._budget()["trials"]}
        write_text(path, json.dumps({**before, **self._budget(), "trials": trials}, indent=1) + "\n")

    def _budget(self) -> dict[str, Any]:
        """What scores depend on, but for the seed."""
        seed = self.question.seeds[0]
        trials = {trial.name: plain(self.settings(trial, seed)) for trial in self.trials}
        for told in trials.values():
            told["options"] = {name: value for name, value in told["options"].items() if name != "seed"}
        told = {
            name: {key: value for key, value in each.items() if key not in NOT_TOLD} for name, each in trials.items()
        }
        model = {} if self.model is None else {"model": digest(locate(self.model))}
        return {"scale": self.scale, "test images": self.images, **model, "trials": told}

    def _scaled_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        return {**options, **({"count": self.shrunk(options["count"], IMAGES)} if "count" in options else {})}

    def _unlabelled(self, options: Mapping[str, Any]) -> tuple[Path, ...]:
        """Files of the training images that are not labelled."""
        assert self.root is not None
        files = image_files(self.root, bbbc039(self.root, "train"))
        labelled = image_files(self.root, bbbc039(self.root, "train", **options))
        return tuple(path for path in files if path not in labelled)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> list[str]:
    """How two budgets differ, in words; what only one of them has does not."""
    found = []
    for name in now:
        if name not in before or before[name] == now[name]:
            continue
        if isinstance(now[name], dict) and isinstance(before[name], dict):
            found += _differences(before[name], now[name], "" if name == "trials" else f"{place}{name} ")
        else:
            found.append(f"{place}{name} {short(before[name])}, not {short(now[name])}")
    return found
