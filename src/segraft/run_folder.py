"""A run folder: where its files lie, and what they say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from segraft.errors import UserError
from segraft.metrics.scores import choosing
from segraft.settings import read_config

MODEL = "model.safetensors"
CONFIG = "config.yaml"


class RecordedData(NamedTuple):
    """The data set of a run: its name, its folder and the reader's options."""

    name: str
    root: str | None
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
        """The lines of the metrics; ``UserError`` where they cannot be read."""
        try:
            return [json.loads(line) for line in self.metrics.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{self.path} is no complete run folder ({reason}); expected {CONFIG} and {self.metrics.name}; "
                "train again"
            ) from error

    def history_until(self, step: int) -> list[str]:
        """Lines of the metrics as text, up to a step; one that a full disk cut short is left out."""
        if not self.metrics.exists():
            return []
        lines = self.metrics.read_text(encoding="utf-8").splitlines(keepends=True)
        return [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]

    def best_validation(self) -> dict[str, Any] | None:
        """The line of the validation that the model comes from: the first best by the score that the run monitors."""
        monitor = self.settings().get("monitor") or "aji"
        score = choosing(monitor)
        validations = [line for line in self.history() if "val" in line]
        return max(validations, key=lambda line: score.rank(line["val"][monitor]), default=None)

    def data(self) -> RecordedData:
        """The data set that the run was trained on."""
        settings = self.settings()
        return RecordedData(settings["dataset"], settings.get("root"), settings.get("options") or {})
