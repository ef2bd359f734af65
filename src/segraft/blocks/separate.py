"""Segmentation of separate objects in blocks, from the network to final labels."""

from __future__ import annotations

import numpy as np

from segraft.blocks.groups import GROUPS, PIECES, find_groups, partition_groups, share_out
from segraft.blocks.job import Job
from segraft.blocks.pieces import CROSSING, NETWORK, partition_block
from segraft.blocks.seams import CUT, SEAMS, STITCHED, compare_seams, cut_block, large_parts, region_of, stitch
from segraft.blocks.stages import Found, Run
from segraft.labels.relabel import following
from segraft.model.tiling import within


def segment(job: Job, run: Run) -> Found:
    """Segment the image; `labels_of` gives the labels of each block afterwards."""
    blocks = range(len(job.grid))
    run(NETWORK, "segmenting", partition_block, blocks)
    groups = find_groups(job)
    owners = share_out(job, groups)
    run(PIECES, "pieces across blocks", partition_groups, owners)
    counts = np.array([_count(job, NETWORK, block) for block in blocks], np.int64)
    for block in owners:
        counts[block] += _count(job, PIECES, block)
    bases = np.cumsum(counts) - counts
    cut = np.unique(groups.block[groups.large[groups.group]]).tolist()
    run(CUT, "large pieces", cut_block, cut)
    run(SEAMS, "seams", compare_seams, cut)
    stitched = stitch(job, cut, int(counts.sum()))
    job.folder.save_plain("bases", 0, bases)
    return Found(int(counts.sum()) + stitched, labels_of, int(groups.large.sum()))


def _count(job: Job, stage: str, block: int) -> int:
    return int(job.folder.load(stage, block, "count")["count"])


def labels_of(job: Job, number: int) -> np.ndarray:
    """Final labels ``(*block)`` of a block, uint64."""
    bases = job.folder.mapped("bases", 0)
    own = job.folder.load(NETWORK, number)
    labels = following(own["labels"], int(bases[number]))
    flat = labels.reshape(-1)
    shared = job.folder.load(GROUPS, number, "owners", "places")
    starts, pixels = job.folder.load(CROSSING, number, "starts")["starts"], job.folder.mapped(CROSSING, number)
    for owner in np.unique(shared["owners"][shared["owners"] >= 0]).tolist():
        found = job.folder.load(PIECES, owner)
        base = int(bases[owner]) + _count(job, NETWORK, owner)
        for part in np.flatnonzero(shared["owners"] == owner):
            place = int(shared["places"][part])
            named = found["labels"][found["starts"][place] : found["starts"][place + 1]]
            flat[pixels[starts[part] : starts[part + 1]]] = following(named, base)
    if large_parts(job, number):
        cut = job.folder.load(CUT, number, "labels")["labels"][within(job.grid.box(number), region_of(job, number))]
        inside = cut > 0
        labels[inside] = job.folder.load(STITCHED, number)["numbers"][cut[inside]]
    return labels
