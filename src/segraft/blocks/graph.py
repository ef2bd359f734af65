"""Dense tissue in blocks: the merged region graph, its partition, and small or thin segments joined to others."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from segraft.blocks.groups import joined
from segraft.blocks.job import Job
from segraft.blocks.pieces import NETWORK
from segraft.blocks.stages import Found, Run
from segraft.blocks.tissue import (
    BASES,
    CONNECTED,
    FILLED,
    FINAL,
    NUMBERS,
    THICK,
    connect_faces,
    fill_block,
    find_deep,
    fragment_block,
    labels_of,
)
from segraft.errors import UserError
from segraft.model.config import Segmentation
from segraft.segment.agglomerate import mean_groups
from segraft.segment.fragments import Segments, distinct, homes
from segraft.segment.multicut import edge_costs, multicut_groups
from segraft.segment.regions import RegionGraph

JOINED = 0.5
"""Affinity above which segments of the mutex watershed are joined across a face."""
Edges = tuple[np.ndarray, np.ndarray]
"""Pairs of regions ``(edges, 2)``, from 1, and their statistics ``(edges, 5)``."""


def check(segmentation: Segmentation) -> None:
    """Raise ``UserError`` for segmenters whose graphs cannot be merged from blocks."""
    segmenter, score = segmentation.segmenter, segmentation.settings.get("score", "mean")
    if segmenter == "lifted-multicut":
        raise UserError("blocks: got lifted-multicut, expected mutex, waterz or multicut; choose --segmenter multicut")
    if segmenter == "waterz" and score != "mean":
        raise UserError(
            f"blocks: got waterz by the score {score}, expected mean, which alone adds up over blocks; choose it "
            "(segraft tune), or predict without blocks"
        )


def segment(job: Job, run: Run) -> Found:
    """Segment the image; ``labels_of`` gives the labels of each block afterwards."""
    blocks = range(len(job.grid))
    run(NETWORK, "segmenting", fragment_block, blocks)
    counts = np.array([int(job.folder.load(NETWORK, block, "count")["count"]) for block in blocks], np.int64)
    job.folder.save_plain(BASES, 0, np.cumsum(counts) - counts)
    run(CONNECTED, "faces of blocks", connect_faces, blocks)
    united = unite(job, counts)
    regions, within_block = merged(job, united)
    numbers = _absorbed(job, run, regions, _groups(job, regions, within_block), united)
    job.folder.save_plain(FINAL, 0, numbers)
    if job.segmentation.fill:
        run(FILLED, "filling", fill_block, blocks)
    return Found(int(numbers.max()), labels_of, 0)


def unite(job: Job, counts: np.ndarray) -> np.ndarray:
    """Regions, from 1, that the fragments of all blocks belong to, ``(fragments + 1,)``: parts of one are one."""
    found = (job.folder.load(CONNECTED, block) for block in range(len(job.grid)))
    pairs = [each[key] - 1 for each in found for key in each if key.startswith("same")]
    return np.concatenate([[0], joined(counts, np.concatenate([np.zeros((0, 2), np.int64), *pairs])) + 1])


def merged(job: Job, united: np.ndarray) -> tuple[RegionGraph, np.ndarray]:
    """The graph of all regions, and which of its edges lie inside a block. Blocks are added in order."""
    from bioimage_cpp.graph import UndirectedGraph, distributed

    count = int(united.max())
    edges = distributed.merge_edges([part for part, _ in _edges(job, united)] or [np.zeros((0, 2), np.uint64)])
    graph = UndirectedGraph.from_unique_edges(count + 1, edges)
    stats, inner = distributed.empty_edge_stats(len(edges)), np.zeros(len(edges), bool)
    for part, values in _edges(job, united):
        distributed.merge_block_edge_stats(graph, stats, part, values)
    for part, _ in _edges(job, united, faces=False):
        inner[graph.find_edges(part[part[:, 0] != part[:, 1]])] = True
    columns = distributed.finalize_edge_features(stats, compute_complex_features=True)
    means, maxima, sizes = (columns[:, at] for at in (0, 3, 4))
    return RegionGraph(count, edges - np.uint64(1), means, maxima, sizes), inner


def _edges(job: Job, united: np.ndarray, faces: bool = True) -> Iterator[Edges]:
    """Edges inside each block, and those to the next blocks, between regions."""
    bases, united = job.folder.mapped(BASES, 0), united.astype(np.uint64)
    for block in range(len(job.grid)):
        inside = job.folder.load(NETWORK, block, "edges", "stats")
        yield united[inside["edges"] + np.uint64(bases[block])], inside["stats"]
    for block in range(len(job.grid)) if faces else ():
        found = job.folder.load(CONNECTED, block)
        for axis in range(len(job.space)):
            if f"edges{axis}" in found:
                yield united[found[f"edges{axis}"]], found[f"stats{axis}"]


def _groups(job: Job, regions: RegionGraph, inner: np.ndarray) -> np.ndarray:
    """Groups ``(nodes,)``, from 0, that regions are joined to; those of the mutex watershed across faces only."""
    segmentation = job.segmentation
    if not len(regions.edges):
        return np.arange(regions.count)
    if segmentation.segmenter == "mutex":
        return mean_groups(regions, 1 - JOINED, joinable=~inner)
    if segmentation.segmenter == "waterz":
        return mean_groups(regions, segmentation.settings.get("threshold", 0.5))
    costs = edge_costs(regions.means, regions.sizes, segmentation.settings.get("beta", 0.5))
    return multicut_groups(regions, costs)


def _absorbed(job: Job, run: Run, regions: RegionGraph, groups: np.ndarray, united: np.ndarray) -> np.ndarray:
    """Final number of each fragment, ``(fragments + 1,)``, once thin and small segments have joined others."""
    segmentation = job.segmentation
    of_regions = np.concatenate([[0], np.unique(groups, return_inverse=True)[1] + 1])
    own = of_regions[united]
    count = int(own.max())
    sizes = [job.folder.load(NETWORK, block, "sizes")["sizes"][1:] for block in range(len(job.grid))]
    pixels = np.bincount(own[1:], weights=np.concatenate(sizes), minlength=count + 1).astype(np.int64)
    turns = iter(range(len(own) + 1))
    thick_of = partial(_thick, job, run, own, turns)
    thick = thick_of(np.arange(count + 1))
    if thick.all() and segmentation.minimum_size <= 1:
        return own
    nodes = of_regions[regions.edges.astype(np.int64) + 1].reshape(-1, 2)
    edges = distinct(nodes, regions.means * regions.sizes, count + 1)
    return homes(Segments(pixels, thick, *edges), thick_of, segmentation.minimum_size)[own]


def _thick(job: Job, run: Run, own: np.ndarray, turns: Iterator[int], home: np.ndarray) -> np.ndarray:
    """Which segments are thick, once each has become what ``home`` says; see `segraft.segment.fragments.homes`."""
    thickness, thick = job.segmentation.thickness, np.zeros(len(home), bool)
    if thickness < 1:
        return ~thick
    turn = next(turns)
    job.folder.save_plain(NUMBERS, turn, home[own])
    run(THICK.format(turn), "thickness", partial(find_deep, turn=turn), range(len(job.grid)))
    for block in range(len(job.grid)):
        thick[job.folder.load(THICK.format(turn), block, "numbers")["numbers"]] = True
    thick[0] = True
    return thick
