"""Which protocols a table has: ours, the paper's, or both, with what the paper's leaves out of a data set."""

from __future__ import annotations

from dataclasses import replace

from segraft.errors import UserError, choose
from segraft.metrics.protocols import OURS, PAPER, Protocol

MINIMUM_TRUE_SIZES = {"bbbc039": 25}
"""Pixels below which the paper's protocol leaves true objects out, by data set: its reference [36] removes micronuclei
from BBBC039 when it converts the masks. Of other data sets nothing is left out."""


def chosen(name: str, dataset: str | None = None, minimum_true_size: int | None = None) -> tuple[Protocol, ...]:
    """Return the protocols of that name, ``ours``, ``paper`` or ``both``, for a data set.

    ``minimum_true_size`` is the paper's protocol's, in pixels, in place of that of the data set.
    Raises ``UserError`` for another name, for a negative size, and for a size that no protocol has.
    """
    if minimum_true_size is not None and (minimum_true_size < 0 or name == OURS.name):
        raise UserError(
            f"minimum_true_size: got {minimum_true_size} with the protocol {name}, expected 0 or more pixels with the "
            "protocol paper; omit it, or choose that protocol"
        )
    size = MINIMUM_TRUE_SIZES.get(dataset or "", 0) if minimum_true_size is None else minimum_true_size
    paper = replace(PAPER, minimum_true_size=size)
    return choose("protocol", name, {OURS.name: (OURS,), PAPER.name: (paper,), "both": (OURS, paper)})
