"""What is asked of a run: who works on it, what is written, and how the image is cut."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from segraft.blocks.arrays import identity
from segraft.blocks.cluster import cores, memory_of
from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job
from segraft.blocks.object_table import check_table
from segraft.blocks.plan import driver_bytes, of_user, plan
from segraft.blocks.work_folder import WorkFolder
from segraft.errors import UserError
from segraft.files import digest
from segraft.images.lazy import Source
from segraft.images.windows import crop_from
from segraft.labels.outlines import check_flat
from segraft.model.model import Model
from segraft.model.object_size import fitted_to_parts
from segraft.model.options import PredictOptions
from segraft.types import Space

SHARE = 0.6
"""Of the machine's memory, what workers share unless told otherwise."""
STEP = 16
"""Sides of the blocks that labels are written in are multiples of this, where the image is resized."""


@dataclass(frozen=True)
class Extras:
    """What is written beside the labels."""

    table: Path | None
    outlines: Path | None

    @property
    def measured(self) -> bool:
        """Whether objects are measured."""
        return self.table is not None or self.outlines is not None

    def check(self, source: Source) -> None:
        """Raise ``UserError`` for a table in no known format, and outlines of volumes."""
        if self.table is not None:
            check_table(self.table)
        if self.outlines is not None:
            check_flat(source.space)


@dataclass(frozen=True)
class Workers:
    """What works on the blocks."""

    blocks: Any
    """As a user gives them."""
    scheduler: str | None = None
    count: int | None = None
    max_memory: float | None = None
    """In gigabytes."""

    def check(self) -> None:
        """Raise ``UserError`` for a number of workers that cannot be."""
        if self.count is None:
            return
        if self.scheduler:
            raise UserError("workers: got a number, and a scheduler, which has its own; expected one of them; omit one")
        if self.count < 1:
            raise UserError(f"workers: got {self.count}, expected 1 or more; change it")

    @cached_property
    def memory(self) -> float:
        """Bytes that workers of this machine share, or that a task may take on each of a cluster.

        Raises ``UserError`` where the scheduler does not answer, or its workers do not tell.
        """
        if self.max_memory is not None:
            return self.max_memory * 1e9
        if self.scheduler:
            return memory_of(self.scheduler, self.patience)
        try:
            from distributed.system import MEMORY_LIMIT
        except ImportError:
            return 8e9  # that Dask is missing is said later
        return SHARE * MEMORY_LIMIT

    def driver(self, loaded: Model) -> float:
        """Bytes of the memory that the driver takes itself, on this machine."""
        return 0.0 if self.scheduler else driver_bytes(loaded)

    @property
    def patience(self) -> float:
        """Seconds to wait for workers while there are none: a cluster may start others."""
        return 600.0 if self.scheduler else 60.0


def with_scale(loaded: Model, source: Source, options: PredictOptions) -> PredictOptions:
    """The options with the scale that the size of the objects stands for; parts of the image are looked at for it."""
    if options.object_size is None:
        return options
    with source.open() as image:
        cut = partial(crop_from, image.read, source.space)
        return fitted_to_parts(loaded.segment, cut, source.space, options, loaded.config)


def job_of(
    loaded: Model,
    file: Path,
    source: Source,
    options: PredictOptions,
    folder: WorkFolder,
    hands: Workers,
    before: Mapping[str, Any],
) -> tuple[Job, int]:
    """What tasks know, and how many workers there are; what the settings of a run ``before`` have chosen stays."""
    hands.check()
    space = source.space
    before = before if len(before.get("blocks", ())) == len(space) else {}  # else what differs is said later
    target = options.target(loaded.config, space)
    segmentation = options.segmentation(loaded.config, math.prod(target) / math.prod(space))
    count = 1 if hands.scheduler else hands.count or cores()
    block = of_user(hands.blocks, len(space)) or (tuple(before["blocks"]) if before else None)
    chosen = plan(loaded, segmentation, target, block, hands.memory, count, hands.driver(loaded))
    if before and tuple(before["blocks"]) == chosen.block:
        chosen = chosen._replace(tile=tuple(before["tile"]), largest=before["largest"])
    grid = Grid(target, chosen.block)
    own = grid if target == space else Grid(space, _image_block(chosen.block, target, space))
    runner = loaded.runner
    names = folder, source, str(file.resolve()), digest(file), runner.device, own, grid, loaded.offsets, segmentation
    return Job(*names, chosen.tile, chosen.largest), chosen.workers


def _image_block(block: Space, target: Space, space: Space) -> Space:
    """Blocks of the image itself, about as many pixels as those of the resized one, with sides that divide well."""
    sides = (side * min(1.0, old / new) for side, old, new in zip(block, space, target, strict=True))
    return tuple(max(STEP, round(side / STEP) * STEP) for side in sides)


def pixel_size(job: Job, options: PredictOptions) -> tuple[float, ...] | None:
    """Size of the image's pixels per axis in nm: what is given, else what the image states; None where nothing is."""
    return options.pixel_size(len(job.space)) or job.source.voxel_size


def settings_of(job: Job, options: PredictOptions) -> dict[str, Any]:
    """All that the output depends on."""
    normalise = None if options.normalise == "image" else options.normalise  # the default, however it is given
    scaling = {"percentiles": options.percentiles, "range": options.range, "normalise": normalise}
    settings = {
        "format": 2,
        "image": identity(job.source),
        "shape": list(job.image_grid.space),
        "resized": list(job.space),
        "pixels": job.source.dtype.name,
        "channels": list(job.source.layout.chosen),
        "voxel size": pixel_size(job, options),
        "model": job.digest,
        "segmentation": asdict(job.segmentation),
        "scaling": scaling,
        "blocks": list(job.grid.block),
        "tile": list(job.tile or ()),
        "largest": job.largest,
    }
    return dict(json.loads(json.dumps(settings)))
