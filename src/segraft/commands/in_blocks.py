"""Images segmented block by block: because the user asks for it, or because they do not fit the memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from segraft.blocks import graph
from segraft.blocks.orders import Extras, Workers
from segraft.blocks.plan import dense, pixel_bytes
from segraft.blocks.prediction import SUFFIX, run
from segraft.commands.one_by_one import check_targets, do_all
from segraft.errors import UserError
from segraft.files import make_folder
from segraft.images.lazy import lazy_source
from segraft.images.listing import list_images
from segraft.images.names import image_stem
from segraft.images.reading import is_url
from segraft.model.model import Model
from segraft.model.options import PredictOptions
from segraft.terminal.progress import say

BESIDE = 16
"""Bytes per pixel of labels, foreground and its pieces, while separate objects are segmented in memory."""
FORMATS = ("tif", "zarr")
"""What the format may be in blocks, which write zarr: what is there by default, and zarr."""
ADVICE = "give smaller --blocks, or fewer --workers"


@dataclass(frozen=True)
class InBlocks:
    """How images are segmented block by block."""

    path: str | Path
    """Of the model."""
    model: Model
    options: PredictOptions
    hands: Workers
    table: str | None
    """Suffix of the table; None without one."""
    outlines: bool
    unfit: Sequence[str] = ()
    """Options that are given, and that blocks do not have."""

    def check(self) -> None:
        """Raise ``UserError`` for options that blocks do not have."""
        if self.unfit:
            raise UserError(f"{' and '.join(self.unfit)}: got blocks, which give an OME-Zarr of one image; omit that")

    def __call__(self, image: Any, out: Path) -> int:
        """Segment an image into ``NAME.zarr`` and return how many objects there are."""
        table = None if self.table is None else out.with_suffix(self.table)
        extras = Extras(table, out.with_suffix(".geojson") if self.outlines else None)
        return run(self.path, image, out, self.options, extras, self.hands, self.model)

    def needed(self, image: str | Path) -> bool:
        """Whether an image is too large to be segmented in memory; not of one that can only be read whole."""
        geometry, config = self.model.geometry, self.model.config
        try:
            source = lazy_source(image, geometry.ndim, geometry.in_channels, self.options.channels or config.channels)
            target = replace(self.options, object_size=None).target(config, source.space)
            graph.check(segmentation := self.options.segmentation(config))
        except UserError:
            return False
        own = pixel_bytes(self.model, segmentation) if dense(segmentation) else BESIDE
        stored = math.prod(source.space) * (source.channels * source.dtype.itemsize + 4)
        return stored + math.prod(target) * own > self.hands.memory and find_spec("distributed") is not None


@dataclass(frozen=True)
class Task:
    """An image to segment in blocks, and where to."""

    image: str | Path
    out: Path

    @property
    def source(self) -> str:
        """What messages call it."""
        return str(self.image)


def need_blocks(options: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for options, by name, that are given although they only mean something in blocks."""
    given = [name for name, value in options.items() if value]
    if given:
        raise UserError(f"{' and '.join(given)}: got no blocks, expected them with that; add --blocks auto")


def predict_all(images: Sequence[str | Path], out: Path, segment: InBlocks, skip_existing: bool) -> int:
    """Segment images into ``OUT.zarr``, or several into a folder; see `segraft.commands.predict.predict`."""
    segment.check()
    urls = [image for image in images if is_url(image)]
    found = [*urls, *(list_images([image for image in images if not is_url(image)]) if len(urls) < len(images) else [])]
    if not found:
        raise UserError("blocks: got no image, expected one at least; name it")
    single = out.suffix.lower() == SUFFIX
    if single and len(found) > 1:
        raise UserError(f"{out}: got {len(found)} images, expected one for a zarr; give a folder")
    tasks = [Task(image, out if single else out / f"{image_stem(image)}{SUFFIX}") for image in found]
    check_targets(
        [(task.source, task.out) for task in tasks], [Path(each) for each in found if not is_url(each)], "segment"
    )
    make_folder(out.parent if single else out)
    do = partial(_do, segment, skip_existing)
    return do_all(tasks, do, "segmenting", f"images segmented in blocks into {out}", ADVICE)


def _do(segment: InBlocks, skip_existing: bool, task: Task) -> bool:
    """Segment one image and say how many objects there are; False where its result is there already and stays."""
    if skip_existing and task.out.exists():
        return False
    say(f"{task.out}: {segment(task.image, task.out)} objects")
    return True
