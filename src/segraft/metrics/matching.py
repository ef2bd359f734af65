"""Scores that match objects: SBD and DiC, AJI, pixel Dice, F1 and PQ, all from one contingency table."""

from __future__ import annotations

import numpy as np

from segraft.labels.contingency import Contingency

MATCH = 0.5
"""An object is found where the IoU is above this; then no object can be matched twice."""


def matching_scores(table: Contingency, taken_once: bool = False) -> dict[str, float | int]:
    """Return SBD, DiC, AJI, Dice, F1, PQ, SQ, DQ and the counts behind them, by name.

    With ``taken_once`` AJI takes each prediction at most once. If both images are empty, overlap scores are 1 and
    distances 0; if one is empty, overlap scores are 0.
    """
    predicted, true = object_counts(table)
    pairs = _object_pairs(table)
    tp, iou = _matches(pairs)
    f1, sq, pq = quality(tp, predicted - tp, true - tp, iou)
    return {
        "sbd": _symmetric_best_dice(pairs, predicted, true),
        "dic": abs(predicted - true),
        "aji": _aggregated_jaccard(table, pairs, taken_once),
        "dice": _foreground_dice(table),
        "f1": f1,
        "pq": pq,
        "sq": sq,
        "dq": f1,
        "n_predicted": predicted,
        "n_true": true,
        "tp": tp,
        "fp": predicted - tp,
        "fn": true - tp,
    }


def object_counts(table: Contingency) -> tuple[int, int]:
    """Return the numbers of predicted and of true objects; background is not an object."""
    return _distinct(table.predicted_ids), _distinct(table.truth_ids)


def quality(tp: int, fp: int, fn: int, iou: float) -> tuple[float, float, float]:
    """Detection quality (the object F1), segmentation quality and their product PQ (Kirillov et al. 2019).

    ``iou`` is the sum of the matches' IoU. Without any object all three are 1.
    """
    if tp + fp + fn == 0:
        return 1.0, 1.0, 1.0
    dq, sq = 2 * tp / (2 * tp + fp + fn), iou / tp if tp else 0.0
    return dq, sq, dq * sq


def _distinct(ids: np.ndarray) -> int:
    return len(np.unique(ids[ids > 0]))


def _object_pairs(table: Contingency) -> Contingency:
    """The overlaps of objects with objects; sizes remain those of the whole objects."""
    both = (table.predicted_ids > 0) & (table.truth_ids > 0)
    return Contingency(
        table.predicted_ids[both],
        table.truth_ids[both],
        table.counts[both],
        table.predicted_sizes[both],
        table.truth_sizes[both],
    )


def _iou(pairs: Contingency) -> np.ndarray:
    return pairs.counts / (pairs.predicted_sizes + pairs.truth_sizes - pairs.counts)


def _matches(pairs: Contingency) -> tuple[int, float]:
    """Return the number of pairs above the threshold and the sum of their IoU."""
    iou = _iou(pairs)
    matched = iou > MATCH
    return int(matched.sum()), float(iou[matched].sum())


def _symmetric_best_dice(pairs: Contingency, predicted: int, true: int) -> float:
    """The lower of the two directions of best Dice (Scharr et al. 2016, Eqs. 1-2)."""
    if not predicted or not true:
        return float(predicted == true)
    dice = 2 * pairs.counts / (pairs.predicted_sizes + pairs.truth_sizes)
    return min(_sum_of_best(pairs.predicted_ids, dice) / predicted, _sum_of_best(pairs.truth_ids, dice) / true)


def _sum_of_best(ids: np.ndarray, values: np.ndarray) -> float:
    """Sum over distinct ids of the largest value of each."""
    present, rows = np.unique(ids, return_inverse=True)
    best = np.zeros(len(present))
    np.maximum.at(best, rows, values)
    return float(best.sum())


def _aggregated_jaccard(table: Contingency, pairs: Contingency, taken_once: bool) -> float:
    """Aggregated Jaccard index (Kumar et al. 2017, algorithm 1).

    Each true object takes the prediction of highest IoU, of equal ones the lowest id; a prediction may be
    taken more than once. True objects without overlap and predictions that no object takes enlarge the union.
    With ``taken_once`` true objects choose in the order of their ids, each among the predictions that are left;
    one for which none is left that it overlaps enlarges the union, too.
    """
    predicted_area = float(table.counts[table.predicted_ids > 0].sum())
    true_area = float(table.counts[table.truth_ids > 0].sum())
    if not predicted_area or not true_area:
        return float(predicted_area == true_area)
    order = np.lexsort((pairs.predicted_ids, -_iou(pairs), pairs.truth_ids))
    true, predicted = pairs.truth_ids[order], pairs.predicted_ids[order]
    best = order[_first_left(true, predicted) if taken_once else np.unique(true, return_index=True)[1]]
    taken = np.unique(pairs.predicted_ids[best], return_index=True)[1]
    intersection = float(pairs.counts[best].sum())
    untaken_area = predicted_area - float(pairs.predicted_sizes[best][taken].sum())
    union = true_area + float(pairs.predicted_sizes[best].sum()) - intersection + untaken_area
    return intersection / union


def _first_left(true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the first row of every true object, ids ``(pairs,)``, whose prediction none before it has taken."""
    rows: list[int] = []
    served: set[int] = set()
    taken: set[int] = set()
    for row, (mine, theirs) in enumerate(zip(true.tolist(), predicted.tolist(), strict=True)):
        if mine not in served and theirs not in taken:
            rows.append(row)
            served.add(mine)
            taken.add(theirs)
    return np.array(rows, np.intp)


def _foreground_dice(table: Contingency) -> float:
    """Dice of all predicted against all true foreground pixels."""
    predicted, true = table.predicted_ids > 0, table.truth_ids > 0
    area = float(table.counts[predicted].sum() + table.counts[true].sum())
    return 2 * float(table.counts[predicted & true].sum()) / area if area else 1.0
