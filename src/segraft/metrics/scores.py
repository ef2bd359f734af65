"""The table of scores: what is measured, which way is better, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from segraft.errors import choose


@dataclass(frozen=True)
class Score:
    """What there is to know about one score."""

    better: Literal["higher", "lower", ""]
    """Which way is better; empty for numbers that only describe."""
    kind: Literal["ratio", "bits", "count"]
    """A ratio from 0 to 1, an entropy in bits, or a number of objects."""

    def rank(self, value: float) -> float:
        """The value with its sign turned where lower is better: of two ranks the higher is the better one."""
        return -value if self.better == "lower" else value


SCORES: dict[str, Score] = {
    "sbd": Score("higher", "ratio"),
    "dic": Score("lower", "count"),
    "aji": Score("higher", "ratio"),
    "dice": Score("higher", "ratio"),
    "f1": Score("higher", "ratio"),
    "pq": Score("higher", "ratio"),
    "sq": Score("higher", "ratio"),
    "dq": Score("higher", "ratio"),
    "voi": Score("lower", "bits"),
    "voi_split": Score("lower", "bits"),
    "voi_merge": Score("lower", "bits"),
    "arand": Score("lower", "ratio"),
    "n_predicted": Score("", "count"),
    "n_true": Score("", "count"),
}
"""What ``evaluate`` measures of each image, in the order of tables."""
COUNTS = ("tp", "fp", "fn")
"""Objects found, invented and missed, which sets of images pool."""


def choosing(name: str) -> Score:
    """The score of that name, if a model can be chosen by it; ``UserError`` with the known ones otherwise."""
    return choose("score to choose by", name, {name: score for name, score in SCORES.items() if score.better})
