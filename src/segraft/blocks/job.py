"""What every task of a run knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from segraft.blocks.cutting import Grid
from segraft.blocks.work_folder import WorkFolder
from segraft.images.lazy import Source
from segraft.images.normalisation import Scale
from segraft.model.config import Segmentation
from segraft.model.model import Model, load
from segraft.types import Offsets, Space

NO_SCALE = Scale(())


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
    image_grid: Grid
    """Blocks of the image, as it is read and as labels are written."""
    grid: Grid
    """Blocks of the image at the pixel size of the training images, as it is segmented."""
    offsets: Offsets
    segmentation: Segmentation
    tile: Space | None
    """Parts of a block that the network computes at once."""
    largest: int
    """Pixels of the box of a piece of foreground up to which it is partitioned as a whole."""
    scale: Scale = NO_SCALE
    """How grey values are mapped; known after the first look at the image."""
    written: int = 0
    """Tells whether the image was written since, see `segraft.blocks.changes.last_written`."""

    @property
    def space(self) -> Space:
        """Shape of the image as it is segmented."""
        return self.grid.space

    @property
    def resized(self) -> bool:
        """Whether the image is segmented at another size than it has."""
        return self.image_grid != self.grid


@lru_cache(maxsize=1)
def opened(path: str, digest: str, device: str) -> Model:
    """A model, loaded once per process, on one thread of the CPU: cores are shared out among processes."""
    model = load(path, device)
    model.runner.use_threads(1)
    return model
