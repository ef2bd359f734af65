"""Scores of one pair of label images, and of a set of images."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, stdev

import numpy as np

from segraft.errors import UserError
from segraft.labels.contingency import Contingency, contingency, without_small
from segraft.metrics.matching import matching_scores, quality
from segraft.metrics.partition import partition_scores
from segraft.metrics.protocols import OURS, Protocol
from segraft.metrics.scores import COUNTS, SCORES


def evaluate(predicted: np.ndarray, truth: np.ndarray, protocol: Protocol = OURS) -> dict[str, float | int]:
    """Score a predicted label image against the truth, both integers ``(*space)``, 0 background.

    Returns the ``SCORES`` and the ``COUNTS`` behind F1 and PQ by name, as plain floats and ints. Pixels of true
    label −1 are left out. True objects that the protocol leaves out are background for every score, so that what is
    predicted there is wrong. Raises ``UserError`` when the shapes differ or one of the two is no label image.
    """
    return score_table(contingency(predicted, truth), protocol)


def score_table(table: Contingency, protocol: Protocol = OURS) -> dict[str, float | int]:
    """Score a prediction by its table of overlaps with the truth; see `evaluate`."""
    if protocol.minimum_true_size:
        table = without_small(table, protocol.minimum_true_size)
    scores = matching_scores(table, protocol.taken_once) | partition_scores(table)
    return {name: scores[name] for name in (*SCORES, *COUNTS)}


def summarise(scores: Sequence[dict[str, float | int]]) -> dict[str, float | int]:
    """Score a set of images from the results of ``evaluate``.

    Means over images of all ``SCORES``, sums of the ``COUNTS``, and ``f1_pooled`` and ``pq_pooled`` from those.
    Raises ``UserError`` when there is no image.
    """
    if not scores:
        raise UserError("got no image to score, expected at least one pair of prediction and truth; check the folders")
    means = {name: float(np.mean([each[name] for each in scores])) for name in SCORES}
    tp, fp, fn = (int(sum(each[name] for each in scores)) for name in COUNTS)
    f1, _, pq = quality(tp, fp, fn, sum(each["sq"] * each["tp"] for each in scores))
    return {**means, "tp": tp, "fp": fp, "fn": fn, "f1_pooled": f1, "pq_pooled": pq}


def spread(values: Sequence[float | int]) -> tuple[float, float | None]:
    """Mean and standard deviation over seeds; None in place of the latter for a single value."""
    return fmean(values), stdev(values) if len(values) > 1 else None
