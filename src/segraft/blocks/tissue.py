"""Dense tissue: fragments of each block, connected in one region graph (tasks; the graph is `segraft.blocks.graph`).

Fragments are cut from each block by itself, in 3-D section by section. The statistics of edges inside a block are
taken at once, those across faces from the layers on both sides, and added up exactly
(``bioimage_cpp.graph.distributed``), so that the affinities are never stored.
"""

from __future__ import annotations

from math import floor

import numpy as np

from segraft.blocks.cutting import grown
from segraft.blocks.job import Job
from segraft.blocks.maps import maps
from segraft.blocks.pieces import NETWORK, faces
from segraft.labels.relabel import following
from segraft.model.tiling import overlap, within
from segraft.segment.arguments import clipped
from segraft.segment.filling import fill
from segraft.segment.fragments import deep_pixels
from segraft.segment.mutex import mutex_watershed
from segraft.segment.watershed import watershed_fragments
from segraft.types import Offsets

FACES, CONNECTED, THICK = "faces", "connected", "thick-{}"
"""Stages: the outer layers of a block; edges across the faces to the next blocks; what is thick after so many turns."""
BASES, NUMBERS, FINAL = "bases", "numbers", "final"
"""What is added to the fragments of each block; what fragments have become by each turn, and at last."""


def fragment_block(job: Job, number: int) -> None:
    """Run the network on a block, cut fragments and measure the edges between them."""
    ndim, segmentation = len(job.space), job.segmentation
    affinities, probability = maps(job, number, job.grid.box(number))
    fragments = _fragments(job, affinities, probability > segmentation.foreground_threshold).astype(np.uint64)
    nearest = clipped(affinities[:ndim])
    edges, stats = _stats(fragments, nearest, job.offsets[:ndim], (0,) * ndim)
    count = int(fragments.max())
    numbers = fragments.astype(np.uint32)
    filled = {"filled": fill(numbers, nearest)} if segmentation.fill else {}
    weights = {f"weights{axis}": np.moveaxis(nearest[axis], axis, 0)[0] for axis in range(ndim)}
    sizes = np.bincount(numbers.reshape(-1), minlength=count + 1)
    job.folder.save(FACES, number, **faces(numbers), **weights)
    job.folder.save(NETWORK, number, labels=numbers, sizes=sizes, edges=edges, stats=stats, count=count, **filled)


def _fragments(job: Job, affinities: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Fragments of a block ``(*block)``, numbered from 1."""
    settings, ndim = job.segmentation.settings, len(job.space)
    if job.segmentation.segmenter == "mutex":
        return mutex_watershed(affinities, job.offsets, inside, **settings)
    chosen = settings.get("boundary", 0.5), settings.get("worst", False)
    return watershed_fragments(clipped(affinities[:ndim]), inside, *chosen)


def _stats(
    fragments: np.ndarray, nearest: np.ndarray, offsets: Offsets, begin: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Edges ``(edges, 2)`` and their statistics ``(edges, 5)``, without the background, of pixels from ``begin`` on."""
    from bioimage_cpp.graph.distributed import block_affinity_stats

    own = tuple(size - first for size, first in zip(fragments.shape, begin, strict=True))
    edges, stats = block_affinity_stats(fragments, nearest, offsets, begin, own, number_of_threads=1)
    kept = edges[:, 0] > 0
    return edges[kept], stats[kept]


def connect_faces(job: Job, number: int) -> None:
    """Measure the edges across the faces between a block and the next one along each axis, in final numbers."""
    bases, ndim = job.folder.mapped(BASES, 0), len(job.space)
    found = {}
    for axis in range(ndim):
        after = job.grid.after(number, axis)
        if after is None:
            continue
        here = job.folder.load(FACES, number, f"last{axis}")[f"last{axis}"]
        there = job.folder.load(FACES, after, f"first{axis}", f"weights{axis}")
        layers = [following(here, int(bases[number])), following(there[f"first{axis}"], int(bases[after]))]
        weights = there[f"weights{axis}"]
        pair = np.stack(layers, axis)
        strength = np.stack([np.zeros_like(weights), weights], axis)[None]
        begin = tuple(int(each == axis) for each in range(ndim))
        found[f"edges{axis}"], found[f"stats{axis}"] = _stats(pair, strength, job.offsets[axis : axis + 1], begin)
    job.folder.save(CONNECTED, number, **found)


def find_deep(job: Job, number: int, turn: int) -> None:
    """Find what is thick in a block: numbers of what fragments have become by a turn of joining."""
    bases, home = job.folder.mapped(BASES, 0), job.folder.mapped(NUMBERS, turn)
    core = job.grid.box(number)
    reach = floor(job.segmentation.thickness)
    region = (*core[:-2], *grown(core[-2:], job.space[-2:], reach))
    labels = np.zeros([axis.stop - axis.start for axis in region], np.int64)
    for block in job.grid.touched(region):
        shared = overlap(job.grid.box(block), region)
        if shared is None:
            continue
        numbers = home[bases[block] : bases[block] + _count(job, block) + 1].copy()
        numbers[0] = 0
        part = job.folder.load(NETWORK, block, "labels")["labels"][within(shared, job.grid.box(block))]
        labels[within(shared, region)] = numbers[part]
    deep = deep_pixels(labels, job.segmentation.thickness)[within(core, region)]
    job.folder.save(THICK.format(turn), number, numbers=np.unique(labels[within(core, region)][deep]))


def _count(job: Job, block: int) -> int:
    return int(job.folder.load(NETWORK, block, "count")["count"])


def labels_of(job: Job, number: int) -> np.ndarray:
    """Final labels ``(*block)`` of a block, uint64."""
    base = int(job.folder.mapped(BASES, 0)[number])
    own = job.folder.load(NETWORK, number)
    numbers = job.folder.mapped(FINAL, 0)[base : base + int(own["count"]) + 1].astype(np.uint64)
    numbers[0] = 0
    return numbers[own.get("filled", own["labels"])]
