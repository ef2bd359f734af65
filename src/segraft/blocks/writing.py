"""The last stages: final labels written block by block, their coarser levels, and what is measured of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from segraft.blocks import label_store
from segraft.blocks.changes import read_unchanged
from segraft.blocks.job import Job, opened
from segraft.blocks.object_table import write_objects
from segraft.blocks.objects import Objects, measure_block, merge
from segraft.blocks.outlines import join_outlines, outlines_of_block
from segraft.blocks.stages import Found, Run
from segraft.labels.relabel import id_dtype
from segraft.terminal.progress import say

WRITTEN, HELD, LEVEL, MEASURED, OUTLINED = "written", "held", "level-{}", "measured", "outlined"
"""Stages: labels of a block in the store; the same, and what the block holds of objects; a block of a coarser level;
objects that begin in a block, and their outlines."""
STORE = "labels.zarr"


def write(job: Job, run: Run, found: Found, measured: bool, voxel_size: Sequence[float] | None, about: dict) -> Path:
    """Write all labels as OME-Zarr in the work folder; with ``measured``, measure the objects as well."""
    store, dtype = job.folder.path / STORE, id_dtype(found.objects)
    if not store.exists():
        label_store.create(store, job.image_grid.space, dtype, job.image_grid.block, voxel_size)
    label_store.describe(store, about)
    task = partial(write_labels, labels_of=found.labels, dtype=np.dtype(dtype).name, measured=measured)
    run(HELD if measured else WRITTEN, "writing", task, range(len(job.image_grid)), job.image_grid)
    for level in range(1, label_store.level_count(store)):
        grid = label_store.blocks_of(store, level)
        run(LEVEL.format(level), f"level {level}", partial(write_level, level=level), range(len(grid)), grid)
    label_store.tidy(store)
    return store


def write_labels(
    job: Job, number: int, labels_of: Callable[[Job, int], np.ndarray], dtype: str, measured: bool
) -> None:
    """Write the labels of a block, if they are of the image as it is, and measure what it holds of each object."""
    box, labels = job.image_grid.box(number), labels_of(job, number)
    with job.source.open() as image:
        pixels = read_unchanged(job, number, image)
    label_store.write_block(job.folder.path / STORE, box, labels.astype(dtype))
    objects = measure_block(labels, pixels, box)._asdict() if measured else {}
    job.folder.save(HELD if measured else WRITTEN, number, **objects)


def write_level(job: Job, number: int, level: int) -> None:
    """Write a block of a coarser level."""
    store = job.folder.path / STORE
    label_store.write_coarser(store, level, label_store.blocks_of(store, level).box(number))
    job.folder.save(LEVEL.format(level), number)


def write_measured(job: Job, run: Run, table: Path | None, outlines: Path | None, size: Sequence[float] | None) -> None:
    """Write the table of all objects, and their outlines; lengths are in µm where the ``size`` of a pixel is known."""
    grid = job.image_grid
    blocks = range(len(grid))
    objects = merge([Objects(**job.folder.load(HELD, number)) for number in blocks])
    if table is not None:
        write_objects(table, objects, size)
    if outlines is not None:
        for number, begun in enumerate(objects.by_block(grid)):
            if not job.folder.has(MEASURED, number):
                job.folder.save(MEASURED, number, **begun._asdict())
        run(OUTLINED, "outlines", outline_block, blocks, grid)
        join_outlines(outlines, (job.folder.load(OUTLINED, number, "text")["text"].tobytes() for number in blocks))
        _tell_coarse(job)


def outline_block(job: Job, number: int) -> None:
    """Outline the objects that begin in a block: those whose boxes are too large for a worker coarsely.

    An outline takes 430 bytes per edge between two pixels: of the most ragged pieces of foreground, whose pixels have
    nearly one each, no more than to partition them took.
    """
    opened.cache_clear()  # whatever the network has taken
    objects, grid = Objects(**job.folder.load(MEASURED, number)), job.image_grid
    largest = max(job.largest, math.prod(grid.block))
    found = outlines_of_block(job.folder.path / STORE, grid.box(number), objects, largest)
    job.folder.save(OUTLINED, number, text=np.frombuffer(found.text, np.uint8), steps=np.array(found.steps, np.int64))


def _tell_coarse(job: Job) -> None:
    """Say how many objects were outlined coarsely, if any."""
    found = (job.folder.load(OUTLINED, number, "steps")["steps"] for number in range(len(job.image_grid)))
    steps = np.concatenate(list(found))
    if len(steps):
        say(
            f"objects that reach over more pixels than a worker's memory holds were outlined coarsely: {len(steps)}, "
            f"in steps of up to {steps.max()} pixels (coarse in their properties); give more --max-memory, and another "
            "output, to outline them exactly"
        )
