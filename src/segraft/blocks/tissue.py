"""Dense tissue: fragments of each block, connected in one region graph (tasks; the graph is `segraft.blocks.graph`).

Fragments are cut block by block, in 3-D section by section, with what surrounds the block in plane, so that those at
its faces are as in the whole image; what both sides of a face see alike is one. The statistics of edges inside a block
are taken at once, those across faces from the layers on both sides, and added up exactly
(``bioimage_cpp.graph.distributed``), so that affinities are stored only where segments may grow at last.
"""

from __future__ import annotations

from math import floor

import numpy as np

from segraft.blocks.cutting import grown
from segraft.blocks.groups import joined
from segraft.blocks.job import Job, opened
from segraft.blocks.maps import maps
from segraft.blocks.pieces import NETWORK, faces
from segraft.blocks.seams import same_segments
from segraft.labels.relabel import following
from segraft.model.tiling import Region, overlap, within
from segraft.segment.arguments import clipped
from segraft.segment.filling import fill, relevant
from segraft.segment.fragments import deep_pixels
from segraft.segment.mutex import mutex_watershed
from segraft.segment.watershed import watershed_fragments
from segraft.types import Offsets, Space

FACES = f"{NETWORK}.faces"
"""What the network's stage keeps of outer layers."""
CONNECTED, THICK, FILLED = "connected", "thick-{}", "filled"
"""Stages: edges across the faces to the next blocks; what is thick after so many turns; final labels, grown over what
has none."""
HALO = 32
"""Pixels in plane around a block that fragments are cut with; see docs/results.md for what others give."""
BASES, NUMBERS, FINAL = "bases", "numbers", "final"
"""What is added to the fragments of each block; what fragments have become by each turn, and at last."""


def around(core: Region, space: Space, stride: Space) -> Region:
    """A block with what surrounds it in plane; it begins at multiples of the network's stride."""
    plane = grown(core[-2:], space[-2:], HALO, stride[-2:])
    return (*core[:-2], *plane)


def fragment_block(job: Job, number: int) -> None:
    """Run the network on a block, cut fragments and measure the edges between them."""
    ndim, segmentation, core = len(job.space), job.segmentation, job.grid.box(number)
    frame = around(core, job.space, opened(job.model, job.digest, job.device).runner.geometry.stride)
    affinities, probability = maps(job, number, frame, frame)
    place = within(core, frame)
    every, count = _numbered(_fragments(job, affinities, probability > segmentation.foreground_threshold), place)
    numbers, nearest = np.ascontiguousarray(every[place]), clipped(np.ascontiguousarray(affinities[:ndim, *place]))
    edges, stats = _stats(numbers.astype(np.uint64), nearest, job.offsets[:ndim], (0,) * ndim)
    sizes = np.bincount(numbers.reshape(-1), minlength=count + 1)
    growing = {}
    if segmentation.fill:
        vanishing = _vanishing(sizes, edges, segmentation.minimum_size)
        growing["growing"] = relevant(numbers, vanishing[numbers], nearest)
    weights = {f"weights{axis}": np.moveaxis(nearest[axis], axis, 0)[0] for axis in range(ndim)}
    job.folder.save(FACES, number, **faces(numbers), **_beyond(every, place), **weights)
    job.folder.save(NETWORK, number, labels=numbers, sizes=sizes, edges=edges, stats=stats, count=count, **growing)


def _numbered(fragments: np.ndarray, place: Region) -> tuple[np.ndarray, int]:
    """Number fragments ``(*frame)`` anew, those of a block in it first; and how many these are."""
    total = int(fragments.max())
    inside = np.zeros(total + 1, bool)
    inside[np.unique(fragments[place])] = True
    inside[0] = False
    order = np.concatenate([np.flatnonzero(inside), 1 + np.flatnonzero(~inside[1:])])
    numbers = np.zeros(total + 1, np.uint32)
    numbers[order] = np.arange(1, total + 1)
    return numbers[fragments], int(inside.sum())


def _vanishing(sizes: np.ndarray, edges: np.ndarray, minimum_size: int) -> np.ndarray:
    """Which fragments ``(fragments + 1,)``, of so many pixels and touching as ``edges`` say, may vanish at last.

    A small segment vanishes where it touches no larger one. Then all that it touches is as small as it, and so on: none
    that hangs together with a fragment that is large enough vanishes.
    """
    pieces = joined(np.array([len(sizes) - 1]), edges.astype(np.int64) - 1)
    stays = np.zeros(len(pieces), bool)
    stays[pieces[sizes[1:] >= minimum_size]] = True
    return np.append(False, ~stays[pieces])


def _beyond(every: np.ndarray, place: Region) -> dict[str, np.ndarray]:
    """The layers of fragments ``(*frame)`` next to a block in it, along each axis, where there are any."""
    found = {}
    for axis, side in enumerate(place):
        lines = np.moveaxis(every, axis, 0)
        rest = tuple(each for other, each in enumerate(place) if other != axis)
        if side.start > 0:
            found[f"before{axis}"] = lines[side.start - 1, *rest]
        if side.stop < len(lines):
            found[f"after{axis}"] = lines[side.stop, *rest]
    return found


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
    """Measure the edges across the faces between a block and the next one along each axis, in numbers of the image.

    Also finds the fragments that both see alike: pairs of their numbers.
    """
    bases, ndim = job.folder.mapped(BASES, 0), len(job.space)
    found = {}
    for axis in range(ndim):
        next_one = job.grid.after(number, axis)
        if next_one is None:
            continue
        here, there = job.folder.load(FACES, number), job.folder.load(FACES, next_one)
        layers = here[f"last{axis}"], there[f"first{axis}"]
        weights, begins = there[f"weights{axis}"], (int(bases[number]), int(bases[next_one]))
        pair = np.stack([following(layer, base) for layer, base in zip(layers, begins, strict=True)], axis)
        strength = np.stack([np.zeros_like(weights), weights], axis)[None]
        begin = tuple(int(each == axis) for each in range(ndim))
        found[f"edges{axis}"], found[f"stats{axis}"] = _stats(pair, strength, job.offsets[axis : axis + 1], begin)
        if f"after{axis}" in here and f"before{axis}" in there:
            left, right = np.stack([layers[0], here[f"after{axis}"]]), np.stack([there[f"before{axis}"], layers[1]])
            same, ends = same_segments(left, right), (_count(job, number), _count(job, next_one))
            found[f"same{axis}"] = same[np.all(same <= ends, 1)] + begins
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


def segments_of(job: Job, number: int) -> np.ndarray:
    """Final segments ``(*block)`` of a block, uint64; 0 where there was no fragment, or one that vanished."""
    base = int(job.folder.mapped(BASES, 0)[number])
    own = job.folder.load(NETWORK, number, "labels", "count")
    numbers = job.folder.mapped(FINAL, 0)[base : base + int(own["count"]) + 1].astype(np.uint64)
    numbers[0] = 0
    return numbers[own["labels"]]


def fill_block(job: Job, number: int) -> None:
    """Let the final segments of a block grow over all pixels of its sections that have none."""
    growing = job.folder.load(NETWORK, number, "growing")["growing"]
    job.folder.save(FILLED, number, labels=fill(segments_of(job, number), growing))


def labels_of(job: Job, number: int) -> np.ndarray:
    """Final labels ``(*block)`` of a block, uint64."""
    return job.folder.load(FILLED, number)["labels"] if job.segmentation.fill else segments_of(job, number)
