"""Pieces of foreground too large for one task: cut at the faces of blocks, and stitched where neighbours overlap."""

from __future__ import annotations

import numpy as np

from segraft.blocks.cutting import grown
from segraft.blocks.groups import GROUPS, joined
from segraft.blocks.job import Job, opened
from segraft.blocks.pieces import Piece, frame_of, gather, partition
from segraft.labels.contingency import contingency
from segraft.model.tiling import Region, overlap, within
from segraft.types import Space

CUT, SEAMS, STITCHED = "cut", "seams", "stitched"
"""Stages: labels of a block and what surrounds it; which of them are those of the next blocks; final numbers."""
OVERLAP = {2: 64, 3: 16}
"""Pixels beyond a block that are partitioned with it, by dimension."""
SAME = 0.5
"""Overlap, over union, of two segments where both blocks see them, from which on they are one."""


def beyond(core: Region, space: Space, block: Space) -> Region:
    """A block with what is partitioned around it."""
    return grown(core, space, min(OVERLAP[len(space)], *block))


def region_of(job: Job, number: int) -> Region:
    """The same, with the rim that thickness looks at."""
    return frame_of(job, beyond(job.grid.box(number), job.space, job.grid.block))


def large_parts(job: Job, number: int) -> list[Piece]:
    """The parts in a block of pieces that are too large."""
    owners = job.folder.load(GROUPS, number, "owners")["owners"]
    return [Piece(number, int(place) + 1) for place in np.flatnonzero(owners < 0)]


def cut_block(job: Job, number: int) -> None:
    """Partition what a block holds of pieces that are too large; segments inside it are numbered first."""
    opened.cache_clear()  # whatever the network has taken
    region = region_of(job, number)
    parts = [part for block in job.grid.touched(region) for part in large_parts(job, block)]
    affinities, inside, _ = gather(job, parts, region)
    labels = partition(job, affinities, inside)
    own = np.unique(labels[within(job.grid.box(number), region)])
    own = own[own > 0]
    others = np.setdiff1d(np.arange(1, int(labels.max()) + 1), own)
    numbers = np.zeros(int(labels.max()) + 1, np.uint32)
    numbers[np.concatenate([own, others])] = np.arange(1, len(numbers))
    job.folder.save(CUT, number, labels=numbers[labels], count=len(own))


def compare_seams(job: Job, number: int) -> None:
    """Find the segments of a block that the next block along each axis sees as well: pairs of their numbers."""
    here = job.folder.load(CUT, number)
    found = {}
    for axis in range(len(job.space)):
        after = job.grid.after(number, axis)
        if after is None or not job.folder.has(CUT, after):
            continue
        there = job.folder.load(CUT, after)
        regions = region_of(job, number), region_of(job, after)
        shared = overlap(*regions)
        if shared is None:
            continue
        left, right = (
            each["labels"][within(shared, region)] for each, region in zip((here, there), regions, strict=True)
        )
        pairs = same_segments(left, right)
        inside = (pairs[:, 0] <= int(here["count"])) & (pairs[:, 1] <= int(there["count"]))
        found[f"pairs{axis}"] = pairs[inside]
    job.folder.save(SEAMS, number, **found)


def same_segments(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Pairs of segments, ``(pairs, 2)``, of two label images of the same pixels that are one."""
    table = contingency(left, right)
    union = table.predicted_sizes + table.truth_sizes - table.counts
    chosen = (table.predicted_ids > 0) & (table.truth_ids > 0) & (table.counts > SAME * union)
    return np.stack([table.predicted_ids[chosen], table.truth_ids[chosen]], 1).astype(np.int64)


def stitch(job: Job, blocks: list[int], base: int) -> int:
    """Give the segments of cut blocks their final numbers, above ``base``; return how many objects there are."""
    counts = np.zeros(len(job.grid), np.int64)
    for block in blocks:
        counts[block] = int(job.folder.load(CUT, block, "count")["count"])
    bases = np.cumsum(counts) - counts
    pairs = [np.zeros((0, 2), np.int64)]
    for block in blocks:
        for name, found in job.folder.load(SEAMS, block).items():
            after = job.grid.after(block, int(name.removeprefix("pairs")))
            if after is not None:
                pairs.append(found - 1 + np.array([bases[block], bases[after]]))
    objects = joined(counts, np.concatenate(pairs))
    for block in blocks:
        own = objects[bases[block] : bases[block] + counts[block]]
        job.folder.save(STITCHED, block, numbers=np.concatenate([[0], own + base + 1]).astype(np.uint64))
    return int(objects.max()) + 1 if len(objects) else 0
