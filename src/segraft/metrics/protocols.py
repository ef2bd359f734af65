"""Protocols: the rules of scoring in which evaluations differ, beside the definitions of the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segraft.metrics.scores import SCORES

BESIDE = ", protocol paper"
"""What names of scores by the paper's protocol end in where both protocols are in one table."""


@dataclass(frozen=True)
class Protocol:
    """Rules by which a prediction is scored against the truth; tables give the name."""

    name: str
    taken_once: bool
    """Whether a prediction that a true object has taken in AJI is lost to the true objects after it."""
    minimum_true_size: int = 0
    """True objects of fewer pixels are left out: they count as background."""

    def __str__(self) -> str:
        """The name, and what it means in words."""
        rules = ["AJI takes each prediction once"] if self.taken_once else []
        if self.minimum_true_size:
            rules.append(f"true objects under {self.minimum_true_size} pixels are left out")
        return ": ".join(filter(None, (f"Protocol {self.name}", ", ".join(rules))))


OURS = Protocol("ours", taken_once=False)
"""Everything counts, and AJI as Kumar et al. 2017 define it."""
PAPER = Protocol("paper", taken_once=True)
"""As Liu et al. 2024 scored, as far as it is known; data sets add a minimum size, see `segraft.paper.protocols`."""


def beside(
    ours: Mapping[str, Mapping[str, float]], paper: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Add to the scores of each run those by the paper's protocol, ``aji, protocol paper``, of which any differs."""
    differing = [name for name in SCORES if any(ours[run][name] != paper[run][name] for run in ours)]
    return {run: {**ours[run], **{name + BESIDE: paper[run][name] for name in differing}} for run in ours}
