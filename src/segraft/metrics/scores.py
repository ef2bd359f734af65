"""The table of scores: what is measured, which way is better, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from segraft.errors import choose


@dataclass(frozen=True)
class Score:
    """Which values of a score are better, and what kind of number it is."""

    better: Literal["higher", "lower", ""]
    """Which way is better; empty for numbers that only describe."""
    kind: Literal["ratio", "bits", "count"]
    """A ratio from 0 to 1, an entropy in bits, or a number of objects."""

    def rank(self, value: float | int) -> float | int:
        """Return the value, negated where lower is better, so that a higher rank is always better."""
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
"""The scores of ``segraft.metrics.scoring.evaluate``, in the order of tables."""
COUNTS = ("tp", "fp", "fn")
"""True positives, false positives and false negatives: objects found, invented and missed."""
POOLED: dict[str, Score] = {"f1_pooled": Score("higher", "ratio"), "pq_pooled": Score("higher", "ratio")}
"""Scores of a set alone, from the matches of all its images: see ``segraft.metrics.scoring.summarise``."""


def choosing(name: str) -> Score:
    """Return the score of that name. Raises ``UserError`` for one by which no model can be chosen."""
    known = {name: score for name, score in (SCORES | POOLED).items() if score.better}
    return choose("score to choose by", name, known)


def finds_nothing(scores: Mapping[str, float | int]) -> bool:
    """Whether a set has true objects, and none of them is found (IoU above 0.5)."""
    return scores.get("tp") == 0 and scores["fn"] > 0
