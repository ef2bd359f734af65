"""What every task of a run knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.work_folder import WorkFolder
from segraft.images.lazy import Source
from segraft.images.normalisation import Scale
from segraft.images.windows import crop_from
from segraft.model import affinities as of_window
from segraft.model.config import Segmentation
from segraft.model.model import Model, load
from segraft.model.passes import run_tiles
from segraft.model.tiling import Region, within
from segraft.types import Offsets, Space


@dataclass(frozen=True)
class Job:
    """A run: the image, the model and how it segments, the blocks, and where their results lie."""

    folder: WorkFolder
    source: Source
    model: str
    """Path of the model's file."""
    digest: str
    """Of that file."""
    device: str
    grid: Grid
    offsets: Offsets
    segmentation: Segmentation
    tile: Space | None
    """Parts of a block that the network computes at once."""
    largest: int
    """Pixels of the box of a piece of foreground up to which it is partitioned as a whole."""
    scale: Scale
    """How grey values are mapped."""

    @property
    def space(self) -> Space:
        """Shape of the image."""
        return self.grid.space


@lru_cache(maxsize=1)
def opened(path: str, digest: str, device: str) -> Model:
    """A model, loaded once per process, on one thread of the CPU: cores are shared out among processes."""
    model = load(path, device)
    model.runner.use_threads(1)
    return model


def maps(job: Job, number: int, frame: Region) -> tuple[np.ndarray, np.ndarray]:
    """Affinities ``(N, *frame)`` and probability of the foreground ``(*frame)`` of a block; 0 in the frame around it.

    Raises ``UserError`` where the image cannot be read and where the network gives no numbers.
    """
    model, core = opened(job.model, job.digest, job.device), job.grid.box(number)
    shape = tuple(axis.stop - axis.start for axis in frame)
    affinities, probability = np.zeros((len(job.offsets), *shape), np.float32), np.zeros(shape, np.float32)
    with job.source.open() as image:
        cut = partial(crop_from, image.read, job.space)
        for part, vectors, logits in run_tiles(model.runner, cut, job.space, job.scale, job.tile, job.offsets, core):
            place = within(part.core, frame)
            own = within(part.core, part.context)
            affinities[:, *place] = of_window.affinities(vectors, job.offsets)[:, *own]
            probability[place] = of_window.probability(logits)
    of_window.check(probability)
    return affinities, probability
