"""Helpers to compare segmentations in blocks with others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job
from segraft.blocks.stages import Task


class Serial:
    """Does one block after the other in this process."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self, stage: str, words: str, task: Task, numbers: Sequence[int], grid: Grid | None = None) -> None:
        """See `segraft.blocks.stages.Run`."""
        for number in numbers:
            if not self.job.folder.has(stage, number):
                task(self.job, number)


def in_blocks(job, segment):
    """Labels of the whole image, block by block, and what was found."""
    found = segment(job, Serial(job))
    labels = np.zeros(job.space, np.uint64)
    for number in range(len(job.grid)):
        labels[job.grid.box(number)] = found.labels(job, number)
    assert found.objects == labels.max() == len(np.unique(labels[labels > 0]))
    return labels, found


def same(left, right):
    """Whether two label images are the same up to numbering; background is 0 in both."""
    pairs = np.unique(np.stack([left.ravel(), right.astype(left.dtype).ravel()]), axis=1)
    alone = ((pairs == 0).sum(0) == 1).any()
    return len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1] and not alone
