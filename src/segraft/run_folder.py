"""A run folder: where its files lie, and what they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from segraft.errors import UserError
from segraft.files import write_text
from segraft.metrics.scores import choosing

MODEL = "model.safetensors"
CONFIG = "config.yaml"
TUNED = "tuned"
"""Marks the line of the metrics that the search of the segmentation wrote, after the last step."""


class RecordedData(NamedTuple):
    """The data set of a run: its name, its folder and the reader's options."""

    name: str
    root: str | Path | None
    options: dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """The folder that one training writes to. Files need not exist before they are written."""

    path: Path

    @property
    def name(self) -> str:
        """What tables and pages call the run."""
        return self.path.resolve().name

    @property
    def config(self) -> Path:
        """The complete settings, re-runnable."""
        return self.path / CONFIG

    @property
    def metrics(self) -> Path:
        """Loss terms and scores, one JSON object per line."""
        return self.path / "metrics.jsonl"

    @property
    def model(self) -> Path:
        """The best model."""
        return self.path / MODEL

    @property
    def last(self) -> Path:
        """The checkpoint to resume from."""
        return self.path / "checkpoints" / "last.ckpt"

    @property
    def report(self) -> Path:
        """The page about the run."""
        return self.path / "report.html"

    @property
    def scores(self) -> Path:
        """Scores of a finished recipe on the test images."""
        return self.path / "scores.json"

    def settings(self) -> dict[str, Any]:
        """The recorded settings by name; ``UserError`` where there are none."""
        return read_config(self.config)

    def history(self) -> list[dict[str, Any]]:
        """The lines of the metrics, but for one that a full disk cut short; ``UserError`` where they cannot be read."""
        try:
            return [json.loads(line) for line in self._whole_lines()]
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.path} is no complete run folder ({reason}); expected {CONFIG} and {self.metrics.name}; "
                "train again"
            ) from error

    def history_until(self, step: int) -> list[str]:
        """Lines of the metrics as text, up to a step, but for one that a full disk cut short or that ends a run."""
        if not self.metrics.exists():
            return []
        whole = [(line, json.loads(line)) for line in self._whole_lines()]
        return [line for line, values in whole if values["step"] <= step and TUNED not in values]

    def _whole_lines(self) -> list[str]:
        lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
        return [line for line in lines if line.endswith("\n")]

    def finish_history(self, line: Mapping[str, Any]) -> None:
        """Write the last line of the metrics; all are there, or none is changed."""
        write_text(self.metrics, "".join([*self._whole_lines(), json.dumps(line) + "\n"]))

    def tuned(self) -> bool:
        """Whether the segmentation of the model was tuned at the end of the training."""
        return self.metrics.exists() and any(TUNED in line for line in self.history())

    def monitor(self) -> str:
        """The score that chooses the run's best model; ``UserError`` where there are no settings."""
        return self.settings().get("monitor") or "aji"

    def best_validation(self) -> dict[str, Any] | None:
        """The line of the validation that the model comes from: the last whose model was kept.

        Earlier versions did not note that, and kept the first best by the score that the run monitors. None before the
        first validation. Raises ``UserError`` where the folder is incomplete.
        """
        monitor = self.monitor()
        score = choosing(monitor)
        validations = [line for line in self.history() if "val" in line]
        for line in reversed(validations):
            if line.get("kept"):
                return line
        return max(validations, key=lambda line: score.rank(line["val"][monitor]), default=None)

    def data(self, root: str | Path | None = None, options: Mapping[str, Any] | None = None) -> RecordedData:
        """The data set that the run was trained on; ``root`` and ``options`` replace the recorded ones.

        Raises ``UserError`` where the run has no recorded settings.
        """
        settings = self.settings()
        recorded = settings.get("options") or {}
        return RecordedData(
            settings["dataset"],
            settings.get("root") if root is None else root,
            dict(recorded if options is None else options),
        )


RENAMED = {"memory": "bank_size", "contrast": "bank_samples", "foreground": "foreground_threshold"}
"""Names of settings in the first version, and what they are called now."""


def read_config(path: Path) -> dict[str, Any]:
    """Values of a recorded run, ``config.yaml`` or the folder that holds it; ``UserError`` where there are none."""
    path = Path(path)
    path = path / CONFIG if path.is_dir() else path
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read the configuration {path}: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no settings; expected lines like 'steps: 1500'")
    return upgraded(values)


def upgraded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Recorded values under the names of today: runs of the first version called some settings otherwise."""
    renamed = {RENAMED.get(name, name): value for name, value in values.items()}
    if "low" in renamed or "high" in renamed:
        renamed["percentiles"] = [renamed.pop("low", 1.0), renamed.pop("high", 99.8)]
    if {"intensity", "patch", "seed", "steps"} <= renamed.keys():  # a recorded run, from before there were any
        renamed.setdefault("blanks", 0.0)
        renamed.setdefault("tune", False)
    return renamed
