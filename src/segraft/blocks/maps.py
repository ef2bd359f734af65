"""What the network says of a block."""

from __future__ import annotations

from functools import partial

import numpy as np

from segraft.blocks.job import Job, opened
from segraft.blocks.resized import read_resized
from segraft.blocks.survey import check_unchanged
from segraft.images.windows import crop_from
from segraft.model import affinities as of_window
from segraft.model.passes import run_tiles
from segraft.model.tiling import Region, within


def maps(job: Job, number: int, frame: Region, region: Region | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Affinities ``(N, *frame)`` and probability of the foreground ``(*frame)`` of a block; 0 in the frame around it.

    With a ``region`` inside the frame they are those of the region; it begins at multiples of the network's stride.
    Raises ``UserError`` where the image cannot be read and where the network gives no numbers.
    """
    model, core = opened(job.model, job.digest, job.device), region or job.grid.box(number)
    shape = tuple(axis.stop - axis.start for axis in frame)
    affinities, probability = np.zeros((len(job.offsets), *shape), np.float32), np.zeros(shape, np.float32)
    with job.source.open() as image:
        read = image.read
        if job.resized:
            read = partial(read_resized, image.read, job.image_grid.space, job.space)
        else:
            check_unchanged(job, number, image)
        cut = partial(crop_from, read, job.space)
        for part, vectors, logits in run_tiles(model.runner, cut, job.space, job.scale, job.tile, job.offsets, core):
            place = within(part.core, frame)
            own = within(part.core, part.context)
            affinities[:, *place] = of_window.affinities(vectors, job.offsets)[:, *own]
            probability[place] = of_window.probability(logits)
    of_window.check(probability)
    return affinities, probability
