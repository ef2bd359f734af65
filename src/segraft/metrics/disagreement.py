"""Where two models disagree about one image: pixel by pixel by their affinities, and object by object. No truth needed.

What a student and its teacher, two students, or a model and itself on the turned image see differently is where one of
them is wrong: the list of objects by `doubts` is what to proofread first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from segraft.errors import UserError
from segraft.graphs.offsets import ends
from segraft.labels.contingency import Contingency, contingency
from segraft.labels.mistakes import homes, mistakes_of
from segraft.labels.relabel import id_table
from segraft.types import Offsets, Stored

Box = tuple[slice, ...]
HALF = 0.5
"""Affinities lie in [-1, 1]: half their difference lies in [0, 1]."""


@dataclass(frozen=True)
class Graph:
    """The affinity graph that a model sees in an image: what is foreground, and which of its pixels belong together."""

    affinities: Stored
    """``(N, *space)``, in [-1, 1]."""
    offsets: Offsets
    inside: np.ndarray
    """Boolean ``(*space)``: the foreground."""


@dataclass(frozen=True)
class Doubt:
    """One object that two models see differently, or alike where the score is 0."""

    id: int
    """In the labels; 0 for an object that the other model alone has."""
    score: float
    """From 0 to 1, the mean of ``partition`` and ``affinity``."""
    partition: float
    """1 − the best IoU with an object of the other model."""
    affinity: float
    """The mean disagreement of the affinities at its pixels, from 0 to 1."""
    other: str
    """What the other model does with it: ``splits``, ``joins``, ``lacks``, ``adds`` or ``agrees``."""
    box: Box
    area: int
    """In pixels."""


def affinity_disagreement(first: Graph, second: Graph) -> np.ndarray:
    """Return how much two graphs disagree at each pixel, 0 to 1, float32 ``(*space)``; the order does not matter.

    An edge joins a pixel with the one at an offset from it, and counts half the difference of its two affinities. A
    pixel has the mean of all edges that touch it, from either end, and have both ends in the foreground of one of the
    graphs; 0 where there is none. Offsets that only one graph has are left out.

    Raises
    ------
    UserError : the graphs have other sizes, or no offset in common
    """
    if first.inside.shape != second.inside.shape:
        raise UserError(
            f"affinities: got {first.inside.shape} and {second.inside.shape} pixels of one image, expected the same; "
            "compare models that were trained at the same pixel size"
        )
    inside = first.inside | second.inside
    total, count = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.int32)
    for offset in common_offsets(first.offsets, second.offsets):
        here, there = ends(offset)
        mine, theirs = (graph.affinities[graph.offsets.index(offset)] for graph in (first, second))
        edges = inside[here] & inside[there]
        differs = np.where(edges, HALF * np.abs(mine[here] - theirs[here]), 0)
        for end in (here, there):
            total[end] += differs
            count[end] += edges
    return np.minimum(total / np.maximum(count, 1), 1)


def common_offsets(first: Offsets, second: Offsets) -> Offsets:
    """The offsets that two models have in common; ``UserError`` where there is none."""
    common = tuple(offset for offset in first if offset in second)
    if not common:
        raise UserError(
            f"offsets: got {first} and {second}, expected some in common; compare models that were trained with the "
            "same offsets"
        )
    return common


def doubts(labels: np.ndarray, others: np.ndarray, disagreement: np.ndarray) -> list[Doubt]:
    """Return the objects of labels ``(*space)``, and those that another segmentation alone has, the worst first.

    An object's score is the mean of 1 − its best IoU with an object of the ``others``, and of the ``disagreement``
    ``(*space)`` at its pixels, from 0 to 1: what no object of the others resembles, because they split it, join it
    with another or lack it, comes first, and of what looks alike that which has other affinities. Equal ones are in
    the order of their ids. An object of the others that lies mostly on background, and to which no object belongs, has
    the id 0.

    Raises ``UserError`` as `segraft.labels.contingency.contingency`.
    """
    table = contingency(labels, others)
    found = mistakes_of(table)
    seen, home = homes(table.predicted_ids, table.truth_ids, table.counts)
    kinds = {
        "lacks": found.false,
        "joins": seen[np.isin(home, found.split)],
        "splits": found.merged,
    }
    words = {int(number): word for word, ids in kinds.items() for number in ids}
    best = _best_iou(table)
    listed = [
        _doubt(number, 1 - best.get(number, 0.0), affinity, words.get(number, "agrees"), box, area)
        for number, affinity, box, area in _objects(labels, disagreement)
    ]
    alone = np.where(np.isin(others, found.missed), others, 0)
    listed += [_doubt(0, 1.0, affinity, "adds", box, area) for _, affinity, box, area in _objects(alone, disagreement)]
    return sorted(listed, key=lambda each: -each.score)


def _doubt(number: int, partition: float, affinity: float, other: str, box: Box, area: int) -> Doubt:
    return Doubt(number, (partition + affinity) / 2, partition, affinity, other, box, area)


def _best_iou(table: Contingency) -> dict[int, float]:
    """The highest IoU of each object with one of the other image, of those that overlap any."""
    both = (table.predicted_ids > 0) & (table.truth_ids > 0)
    iou = table.counts / (table.predicted_sizes + table.truth_sizes - table.counts)
    ids, rows = np.unique(table.predicted_ids[both], return_inverse=True)
    best = np.zeros(len(ids))
    np.maximum.at(best, rows, iou[both])
    return dict(zip(ids.tolist(), best.tolist(), strict=True))


def _objects(labels: np.ndarray, values: np.ndarray) -> Iterator[tuple[int, float, Box, int]]:
    """Id, mean of values ``(*space)``, box and pixels of each object, ids ascending."""
    ids, rows, sizes = id_table(labels)
    sums = np.bincount(rows.ravel(), weights=values.ravel(), minlength=len(ids))
    for number, total, box, size in zip(ids, sums, ndimage.find_objects(rows + 1), sizes, strict=True):
        if number > 0:
            yield int(number), float(total / size), box, int(size)
