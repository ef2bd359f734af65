"""Label images compared."""

from __future__ import annotations

import numpy as np

from segraft.metrics.scoring import evaluate


def same_partition(labels: np.ndarray, truth: np.ndarray) -> bool:
    """Whether every score is perfect, whatever the numbers of the objects."""
    scores = evaluate(labels, truth)
    return scores["aji"] == scores["pq"] == 1 and scores["voi"] == 0
