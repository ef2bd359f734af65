"""Scores of images as they come, in a run folder: what was interrupted goes on behind the last whole image."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segraft.files import unwritable

NAME = "scoring.jsonl"
"""The file in the run folder: what is scored, then a line for each image."""


@dataclass(frozen=True)
class ScoredImages:
    """Images that are scored already, in a file that is gone once all are."""

    path: Path
    what: Mapping[str, Any]
    """All that scores depend on but the image; a file of another one is begun anew."""

    @classmethod
    def of(cls, folder: Path, **what: Any) -> ScoredImages:
        """Those of a run folder."""
        return cls(folder / NAME, what)

    def read(self) -> dict[str, Any]:
        """What was added of each image, by its name; nothing where something else was scored."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        try:
            first, *rest = (json.loads(line) for line in lines if line.endswith("\n"))
            return (
                {each["image"]: each["scores"] for each in rest}
                if first == json.loads(json.dumps(dict(self.what)))
                else {}
            )
        except (ValueError, KeyError, TypeError):
            return {}

    def begin(self, known: Mapping[str, Any]) -> None:
        """Begin the file with what is known."""
        lines = [dict(self.what), *({"image": name, "scores": scores} for name, scores in known.items())]
        with unwritable(self.path):
            self.path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")

    def add(self, image: str, scores: Any) -> None:
        """Add an image's scores; a line that a full disk or a kill cuts short is not read."""
        with unwritable(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"image": image, "scores": scores}) + "\n")

    def remove(self) -> None:
        """All are scored, and written elsewhere."""
        self.path.unlink(missing_ok=True)
