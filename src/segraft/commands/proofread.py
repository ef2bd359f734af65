"""What to proofread first: the objects of many images that two models see differently, without any truth."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.table import Table

from segraft.commands.image_tasks import check_results, image_tasks
from segraft.commands.one_by_one import do_all
from segraft.commands.segmenting import Segmenting, Task
from segraft.data.choice import DataChoice
from segraft.errors import UserError
from segraft.files import make_folder, write_text
from segraft.images.stacks import Stack
from segraft.images.writing import write_image, write_labels
from segraft.labels.measured_objects import AXES
from segraft.metrics.disagreement import Doubt
from segraft.model.model import Model, load
from segraft.model.options import PredictOptions
from segraft.model.second_opinion import check_comparable, second_opinion
from segraft.reporting.proofreading import Sheet, map_picture
from segraft.terminal.tables import print_table

ADVICE = "compare with a smaller --tile"
LISTED = 10
"""Objects in the printed table."""
LIST, PICTURE = "proofread.csv", "proofread.png"


def proofread(
    model: str | Path,
    images: Sequence[str | Path] = (),
    *,
    out: str | Path,
    other: str | Path | None = None,
    dataset: str | None = None,
    root: str | Path | None = None,
    split: str = "test",
    options: dict[str, Any] | None = None,
    pictures: int = 24,
    scale: Sequence[float] | None = None,
    voxel_size: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    series: int | None = None,
    tile: Sequence[int] | None = None,
    max_memory: float | None = None,
    device: str = "auto",
) -> int:
    """List the objects that two models see differently, the most doubtful first: what to proofread. No truth is needed.

    The images are segmented by both. An object's score, from 0 to 1, is the mean of 1 − its best IoU with an object of
    the other model, and of how much the affinities of the two differ at its pixels. The list says what the other model
    does with it: splits, joins (with others), lacks, agrees; or adds, with id 0, what this one has not found.

    Written are ``proofread.csv`` with all objects of all images, ``proofread.png`` with the first of them, the
    segmentations in ``labels``, and for each image a map of where the affinities differ, in ``maps``.

    Images that cannot be read or segmented are reported on stderr, one line each; the others are done. Returns 0 when
    all were done, 1 when some failed, 2 when all did.

    Parameters
    ----------
    model : run folder, model file, or the name of a model that comes with the package: its objects are listed
    images : files, folders and globs; or none, and a data set instead
    out : folder for the results
    other : the model to compare with: a teacher, or another student; by default the same model, which looks at each
        image a second time, turned round
    dataset : compare on a known data set in place of files
    root : folder of the data set
    split : train, val or test
    options : of the data set's reader, by name
    pictures : objects in proofread.png
    scale : factor, or one per axis, that brings the images to the pixel size of the training images
    voxel_size : pixel size of the images per axis, in nm, in place of the scale
    channels : indices of the image channels to use
    series : number of the image to take, from 0, of files that hold several; by default all of them
    tile : side of the parts that the networks compute at once, in pixels, or one per axis; smaller needs less memory
    max_memory : in place of tile, gigabytes that a part may take; by default 4 for volumes
    device : auto, cpu, cuda, cuda:1 or mps

    Raises
    ------
    UserError : a model, the data set, an option or the output folder is at fault, not a single image; or the models
        have other axes, pixel sizes or offsets
    """
    if pictures < 0:
        raise UserError(f"pictures: got {pictures}, expected 0 or more; change it")
    chosen = PredictOptions(scale=scale, voxel_size=voxel_size, channels=channels, tile=tile, max_memory=max_memory)
    first = load(model, device)
    second = None if other is None else load(other, device)
    check_comparable(first, second or first, chosen)
    segment = Segmenting(first, chosen, true_foreground=False, planes=False)
    segment.check(drawn=False)
    tasks = image_tasks(images, segment, series, DataChoice(dataset, root, split, options))
    found = Findings(Path(out), Sheet(pictures))
    check_results(tasks, images, found.labels, "compare")
    make_folder(out)
    done = f"images compared into {out}"
    code = do_all(tasks, partial(_do, first, second, chosen, found), "comparing", done, ADVICE)
    found.write()
    return code


@dataclass
class Findings:
    """The doubtful objects of all images so far."""

    out: Path
    sheet: Sheet
    doubts: list[tuple[str, Doubt]] = field(default_factory=list)
    images: int = 0

    def labels(self, name: str) -> Path:
        """Where the segmentation of an image goes."""
        return self.out / "labels" / f"{name}.tif"

    def write(self) -> None:
        """Write list and picture, the worst first, and print what comes first; nothing where no image was compared."""
        if not self.images:
            return
        self.doubts.sort(key=lambda each: -each[1].score)
        ndim = len(self.doubts[0][1].box) if self.doubts else 2
        write_text(self.out / LIST, _csv(self.doubts, ndim))
        picture = self.sheet.draw()
        if picture is not None:
            write_image(self.out / PICTURE, picture)
        print_table(_table(self.doubts[:LISTED]))
        print(f"{len(self.doubts)} objects, the most doubtful first: {self.out / LIST}")


def _do(model: Model, other: Model | None, options: PredictOptions, found: Findings, task: Task) -> bool:
    """Compare both opinions on one image; its labels are written last."""
    source = task.read()
    if isinstance(source, Stack):
        raise UserError(
            f"{task.source}: got a stack of {' × '.join(map(str, source.shape))} planes, expected a single image; save "
            "its planes as files"
        )
    compared = second_opinion(model, source.image, other, options)
    objects = compared.doubts()
    if compared.labels.ndim == 2:
        picture = map_picture(compared.image, compared.labels, compared.disagreement)
        write_image(found.out / "maps" / f"{source.name}.png", picture)
    write_image(found.out / "maps" / f"{source.name}.tif", compared.disagreement)
    axes = "Z" if compared.labels.ndim == 3 else ""
    write_labels(found.labels(source.name), compared.labels, axes, source.voxel_size)
    found.sheet.add(source.name, compared.image, compared.labels, compared.others, objects)
    found.doubts += [(source.name, each) for each in objects]
    found.images += 1
    return True


def _csv(doubts: Sequence[tuple[str, Doubt]], ndim: int) -> str:
    """One row for each object; boxes are in pixels, begin at ``min`` and end before ``max``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    box = [f"{end}_{axis}" for end in ("min", "max") for axis in AXES[-ndim:]]
    writer.writerow(["image", "id", "score", "partition", "affinity", "other", "area", *box])
    for name, each in doubts:
        numbers = (f"{value:.4f}" for value in (each.score, each.partition, each.affinity))
        sides = [*(side.start for side in each.box), *(side.stop for side in each.box)]
        writer.writerow([name, each.id, *numbers, each.other, each.area, *sides])
    return text.getvalue()


def _table(doubts: Sequence[tuple[str, Doubt]]) -> Table:
    """The first objects for the terminal."""
    table = Table("image", "id", "score", "the other")
    for name, each in doubts:
        table.add_row(name, str(each.id), f"{each.score:.3f}", each.other)
    return table
