"""Mistakes of a segmentation, object by object: split, merged, missed and invented ones, told by largest overlaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.labels.contingency import Contingency, contingency


@dataclass(frozen=True)
class Mistakes:
    """Ids, ascending, of true objects that are split or missed, and of predicted ones that are merged or false."""

    split: np.ndarray
    merged: np.ndarray
    missed: np.ndarray
    false: np.ndarray


def mistakes(predicted: np.ndarray, truth: np.ndarray, least: int = 1) -> Mistakes:
    """Find the mistakes of a predicted label image ``(*space)``.

    Each object belongs to the segment of the other image, background among them, with which it shares most pixels. A
    true object is split when two or more predicted ones belong to it; a predicted object is merged when two or
    more true ones belong to it. An object that belongs to the background, and to which no object belongs, is missed
    if it is true, false if it is predicted. Pixels whose true label is unknown (−1) say nothing.

    Parameters
    ----------
    predicted, truth : integers ``(*space)``, 0 background
    least : overlaps of fewer pixels are not looked at, so that crumbs split and merge nothing; an object that has no
        larger one is no mistake of any kind

    Raises
    ------
    UserError : the shapes differ, or one of the two is no label image
    """
    table = contingency(predicted, truth)
    return mistakes_of(table.where(table.counts >= least))


def mistakes_of(table: Contingency) -> Mistakes:
    """The same, from a contingency table."""
    seen, seen_home = homes(table.predicted_ids, table.truth_ids, table.counts)
    real, real_home = homes(table.truth_ids, table.predicted_ids, table.counts)
    return Mistakes(
        split=_chosen_twice(seen_home),
        merged=_chosen_twice(real_home),
        missed=real[(real_home == 0) & ~np.isin(real, seen_home)],
        false=seen[(seen_home == 0) & ~np.isin(seen, real_home)],
    )


@dataclass(frozen=True)
class Mistaken:
    """Ids, ascending, of true objects that are split, and of those that share a predicted object with another one."""

    split: np.ndarray
    merged: np.ndarray


def mistaken(predicted: np.ndarray, truth: np.ndarray) -> Mistaken:
    """Find the true objects that a predicted label image ``(*space)`` splits or merges; see `mistakes`.

    Raises ``UserError`` as `mistakes` does.
    """
    table = contingency(predicted, truth)
    found = mistakes_of(table)
    true, home = homes(table.truth_ids, table.predicted_ids, table.counts)
    return Mistaken(found.split, true[np.isin(home, found.merged)])


def homes(ids: np.ndarray, others: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each object and the segment it belongs to, from their overlaps, all ``(pairs,)``.

    Of equal overlaps an object is taken before the background, then the lower id.
    """
    order = np.lexsort((others, others == 0, -counts, ids))
    order = order[ids[order] > 0]
    objects, first = np.unique(ids[order], return_index=True)
    return objects, others[order][first]


def _chosen_twice(homes: np.ndarray) -> np.ndarray:
    """Objects to which two or more others belong."""
    ids, times = np.unique(homes[homes > 0], return_counts=True)
    return ids[times > 1]
