"""Scores that compare two partitions of the pixels: variation of information and the adapted Rand error."""

from __future__ import annotations

import numpy as np

from segraft.labels.contingency import Contingency


def partition_scores(table: Contingency) -> dict[str, float]:
    """Return the variation of information, in bits, its two parts, and the adapted Rand error, by name.

    Pixels whose true label is 0 are left out; a predicted 0 is a segment. Without true pixels all are 0.
    """
    objects = table.where(table.truth_ids > 0)
    split, merge = _conditional_entropies(objects)
    return {
        "voi": split + merge,
        "voi_split": split,
        "voi_merge": merge,
        "arand": _adapted_rand_error(objects),
    }


def _conditional_entropies(table: Contingency) -> tuple[float, float]:
    """``H(predicted | true)`` (splits) and ``H(true | predicted)`` (merges) in bits (Meilă 2007)."""
    pixels = max(1, table.pixels)
    split = table.counts @ np.log2(table.truth_sizes / table.counts) / pixels
    merge = table.counts @ np.log2(table.predicted_sizes / table.counts) / pixels
    return float(split), float(merge)


def _adapted_rand_error(table: Contingency) -> float:
    """1 − F score of the pairs of distinct pixels that share a segment (Arganda-Carreras et al. 2015)."""
    together = table.counts @ (table.counts - 1)
    predicted = table.counts @ (table.predicted_sizes - 1)
    true = table.counts @ (table.truth_sizes - 1)
    return 1 - 2 * float(together / (predicted + true)) if predicted + true else 0.0
