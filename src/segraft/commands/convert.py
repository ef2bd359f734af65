"""Turn masks and outlines of other programs into label images, and label images into outlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from segraft.commands.one_by_one import check_targets, do_all
from segraft.data.label_listing import Labelled, list_labels
from segraft.errors import choose
from segraft.files import make_folder
from segraft.images.writing import write_labels
from segraft.labels.coco import CocoWriter
from segraft.labels.imagej import write_rois
from segraft.labels.outlines import write_outlines

Write = Callable[[Path, np.ndarray, Labelled], None]
WRITERS: dict[str, tuple[str, Write]] = {
    "tif": (".tif", lambda path, labels, of: write_labels(path, labels, of.axes(labels.ndim), of.voxel_size())),
    "geojson": (".geojson", lambda path, labels, of: write_outlines(path, labels)),
    "roi": (".zip", lambda path, labels, of: write_rois(path, labels)),
}
"""Suffix and writer of the formats with a file for each image."""
COCO_FILE = "annotations.json"


def convert(
    labels: Sequence[str | Path],
    *,
    out: str | Path,
    to: Literal["tif", "geojson", "roi", "coco"] = "tif",
    images: str | Path | None = None,
    skip_existing: bool = False,
) -> int:
    """Turn masks and outlines of other programs into label images, or label images into outlines.

    Where objects overlap, the later one lies on top. Labels that cannot be read or converted are reported on stderr,
    one line each; the others are done. Returns 0 when all were done, 1 when some failed, 2 when all did.

    Parameters
    ----------
    labels : label images, outlines of QuPath (geojson) or ImageJ (roi, zip), COCO files (json); folders of these or of
        folders with one mask per object; folders with images and masks; globs
    out : folder for the results: ``NAME.tif``, ``NAME.geojson``, ``NAME.zip``, or ``annotations.json`` for COCO
    to : tif (label images), geojson (for QuPath), roi (for ImageJ), coco (one file for all images)
    images : folder of the images, which outlines need for their size, if they do not lie beside them
    skip_existing : leave labels alone whose results are there

    Raises
    ------
    UserError : an input does not exist, two would share a result, or the output folder is at fault
    """
    out = Path(out)
    choose("format", to, {**WRITERS, "coco": None})
    tasks = [Task(entry) for entry in list_labels(labels, images)]
    coco = CocoWriter()
    if to == "coco":
        do = partial(_collect, coco, skip_existing and (out / COCO_FILE).exists())
    else:
        suffix, write = WRITERS[to]
        inputs = [path for task in tasks for path in (task.labelled.labels.path, task.labelled.image) if path]
        targets = [(task.source, out / f"{task.labelled.name}{suffix}") for task in tasks]
        check_targets(targets, inputs, "convert")
        do = partial(_convert, lambda name: out / f"{name}{suffix}", write, skip_existing)
    make_folder(out)
    code = do_all(tasks, do, "converting", f"label images converted into {out}", "convert smaller images")
    if coco.images:
        coco.write(out / COCO_FILE)
    return code


@dataclass(frozen=True)
class Task:
    """The labels of one image to convert."""

    labelled: Labelled

    @property
    def source(self) -> str:
        """What messages call it."""
        return str(self.labelled.labels.path)

    def read(self) -> np.ndarray:
        """Read the labels ``(*space)``."""
        return self.labelled.labels.read(self.labelled.size)


def _convert(place: Callable[[str], Path], write: Write, skip_existing: bool, task: Task) -> bool:
    """Convert the labels of one image; False when the result is there already and stays."""
    target = place(task.labelled.name)
    if skip_existing and target.exists():
        return False
    write(target, task.read(), task.labelled)
    return True


def _collect(coco: CocoWriter, done: bool, task: Task) -> bool:
    """Add the labels of one image to a COCO file; False when that is done already."""
    if not done:
        image = task.labelled.image
        coco.add(image.name if image else f"{task.labelled.name}.tif", task.read())
    return not done
