"""Columns of the paper's tables: what it calls them, and which of our scores they are."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """A column: what the paper calls it, whose segmentation it scores, and the score's true name."""

    title: str
    segmentation: str
    metric: str


LEAVES = (Column("SBD", "mutex", "sbd"), Column("|DiC|", "mutex", "dic"))
OBJECTS = (
    Column("AJI", "mutex", "aji"),
    Column("Dice", "mutex", "f1"),
    Column("F1", "mutex", "dice"),
    Column("PQ", "mutex", "pq"),
)
"""The released code prints object F1 at IoU 0.5 as "Dice" and pixel Dice as "F1": docs/differences.md."""
POSTPROCESSING = {"waterz": "Waterz", "lmc": "LMC"}
"""What the paper calls the segmentations of neurons."""
PARTITIONS = tuple(
    Column(title, name, metric) for name in POSTPROCESSING for title, metric in (("VOI", "voi"), ("ARAND", "arand"))
)
