"""Stages of a run: the same task for many blocks, each of which is done once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job

Task = Callable[[Job, int], None]
"""Does a stage for one block of a job and writes the result; it may be repeated."""


@runtime_checkable
class Run(Protocol):
    """Does a stage for some blocks, in any order and on any workers, without those that are done.

    The blocks are those of the ``grid``, by default of the image as it is segmented.
    """

    def __call__(
        self, stage: str, words: str, task: Task, numbers: Sequence[int], grid: Grid | None = None
    ) -> None: ...


class Found(NamedTuple):
    """What a segmentation gives."""

    objects: int
    """How many there are: labels are 1 to this."""
    labels: Callable[[Job, int], np.ndarray]
    """Labels ``(*block)`` of a block."""
    cut: int
    """Pieces of foreground that were cut at the faces of blocks."""
