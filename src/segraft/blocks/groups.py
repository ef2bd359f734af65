"""Which pieces of foreground belong together across the faces of blocks, and their partition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from segraft.blocks.job import Job, opened
from segraft.blocks.pieces import CROSSING, Piece, frame_of, gather, partition

GROUPS, PIECES = "groups", "pieces"
"""Stages: what the driver found out for each block; labels of the groups that a block owns."""


class Groups(NamedTuple):
    """All parts of pieces that cross faces, in the order of blocks; arrays ``(parts,)``."""

    block: np.ndarray
    number: np.ndarray
    """In its block, from 1."""
    group: np.ndarray
    """From 0, in the order of their first parts."""
    boxes: np.ndarray
    """Of each group, ``(groups, axes, 2)``."""
    owner: np.ndarray
    """Of each group the block that partitions it, ``(groups,)``."""
    large: np.ndarray
    """Which groups are cut at the faces of blocks, ``(groups,)``."""


def joined(counts: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Number the connected components of parts ``(parts,)`` from 0, in the order of their first parts."""
    total = int(counts.sum())
    graph = coo_array((np.ones(len(pairs), bool), tuple(pairs.T)), (total, total))
    _, names = connected_components(graph, directed=False)
    _, firsts, rows = np.unique(names, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(firsts))[rows]


def find_groups(job: Job) -> Groups:
    """Join the parts of pieces that touch across faces. Memory grows with their number, not with the image."""
    grid, numbers = job.grid, range(len(job.grid))
    boxes = [job.folder.load(CROSSING, block, "boxes")["boxes"] for block in numbers]
    counts = np.array([len(each) for each in boxes], np.int64)
    bases = np.cumsum(counts) - counts
    pairs = [np.zeros((0, 2), np.int64)]
    for block in numbers:
        for axis in range(len(grid.space)):
            after = grid.after(block, axis)
            if after is None or not (counts[block] and counts[after]):
                continue
            here = job.folder.load(CROSSING, block, f"last{axis}")[f"last{axis}"]
            there = job.folder.load(CROSSING, after, f"first{axis}")[f"first{axis}"]
            touching = (here > 0) & (there > 0)
            pair = np.stack([here[touching] - 1 + bases[block], there[touching] - 1 + bases[after]], 1)
            pairs.append(np.unique(pair, axis=0))
    group = joined(counts, np.concatenate(pairs))
    blocks = np.repeat(np.arange(len(counts)), counts)
    places = np.arange(len(group)) - bases[blocks] + 1
    return Groups(blocks, places, group, *_measured(job, blocks, group, np.concatenate(boxes)))


def _measured(
    job: Job, block: np.ndarray, group: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Box, owner and whether it is too large, of each group."""
    count = int(group.max()) + 1 if len(group) else 0
    whole = np.empty((count, boxes.shape[1], 2), np.int64)
    whole[..., 0], whole[..., 1] = np.iinfo(np.int64).max, 0
    np.minimum.at(whole[..., 0], group, boxes[..., 0])
    np.maximum.at(whole[..., 1], group, boxes[..., 1])
    owner = np.full(count, len(job.grid))
    np.minimum.at(owner, group, block)
    return whole, owner, np.prod((whole[..., 1] - whole[..., 0]).astype(float), axis=1) > job.largest


def share_out(job: Job, groups: Groups) -> list[int]:
    """Write for each block the groups that it owns and who labels its parts; return the blocks that own any.

    The parts of groups that are too large have no owner, −1.
    """
    order = np.argsort(groups.group, kind="stable")
    order = order[~groups.large[groups.group[order]]]
    owner = groups.owner[groups.group[order]]  # ascending, as groups are numbered by their first parts
    begins = np.searchsorted(owner, np.arange(len(job.grid) + 1))
    owners, places = np.full(len(groups.block), -1), np.zeros(len(groups.block), np.int64)
    owners[order], places[order] = owner, np.arange(len(order)) - begins[owner]
    ends = np.searchsorted(groups.block, np.arange(len(job.grid) + 1))
    for block in range(len(job.grid)):
        own, mine = order[begins[block] : begins[block + 1]], slice(ends[block], ends[block + 1])
        first = int(groups.group[own[0]]) if len(own) else 0
        last = int(groups.group[own[-1]]) + 1 if len(own) else 0
        job.folder.save(
            GROUPS,
            block,
            block=groups.block[own],
            number=groups.number[own],
            group=groups.group[own] - first,
            boxes=groups.boxes[first:last],
            owners=owners[mine],
            places=places[mine],
        )
    return np.unique(owner).tolist()


def partition_groups(job: Job, number: int) -> None:
    """Partition the groups that a block owns, each as a whole."""
    opened.cache_clear()  # whatever the network has taken
    shared = job.folder.load(GROUPS, number)
    parts = [Piece(int(block), int(each)) for block, each in zip(shared["block"], shared["number"], strict=True)]
    begins = np.searchsorted(shared["group"], np.arange(len(shared["boxes"]) + 1))
    found, count = [], 0
    for box, begin, end in zip(shared["boxes"], begins[:-1], begins[1:], strict=True):
        if begin == end:  # too large, cut elsewhere
            continue
        region = frame_of(job, tuple(slice(int(low), int(high)) for low, high in box))
        affinities, inside, pixels = gather(job, parts[begin:end], region)
        labels = partition(job, affinities, inside)
        found += [np.where(labels[places], labels[places] + np.uint32(count), 0) for places in pixels]
        count += int(labels.max())
    starts = np.cumsum([0, *(len(each) for each in found)])
    job.folder.save(PIECES, number, labels=np.concatenate(found), starts=starts, count=count)
