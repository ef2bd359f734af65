"""The images that a user names, files or samples of a data set, as tasks to be done one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from segraft.commands.one_by_one import check_targets
from segraft.commands.segmenting import Segmenting, Task
from segraft.data.choice import DataChoice
from segraft.errors import UserError
from segraft.images.listing import list_images
from segraft.images.names import image_stem
from segraft.images.stacks import each_image
from segraft.types import Sample


def image_tasks(images: Sequence[str | Path], segment: Segmenting, series: int | None, data: DataChoice) -> list[Task]:
    """One task for each image of the files, or of the data set; ``UserError`` unless one of the two is named."""
    data.check("the images", files=bool(images))
    if images:
        return _from_files(images, segment, series)
    if segment.planes or series is not None:
        raise UserError("planes and series: got a data set, expected files to which they apply; omit them")
    return _from_dataset(data.open(), f"{data.name} {data.split}")


def check_results(
    tasks: Sequence[Task], images: Sequence[str | Path], place: Callable[[str], Path], doing: str
) -> None:
    """Raise ``UserError`` where two results of files, or a result and one of the ``images``, share a path.

    ``place`` is where the result for an image of a name goes; ``doing`` is a word for the work.
    """
    targets = [(task.source, place(task.name)) for task in tasks if task.name is not None]
    if targets:
        check_targets(targets, list_images(images), doing)


def _from_files(images: Sequence[str | Path], segment: Segmenting, series: int | None) -> list[Task]:
    """Tasks for files, folders and globs."""
    if series is not None and series < 0:
        raise UserError(f"series: got {series}, expected a number from 0; omit it to take all")
    return [task for path in list_images(images) for task in _of_file(path, segment, series)]


def _of_file(path: Path, segment: Segmenting, series: int | None) -> list[Task]:
    """Tasks for the images of a file; one that fails where it cannot be opened."""
    try:
        found = each_image(path, series, segment.planes)
    except UserError as error:
        return [Task(str(path), partial(_fail, error), image_stem(path))]
    return [Task(str(each), partial(segment.open, each, name), name, each) for each, name in found]


def _fail(error: UserError) -> Sample:
    """Raise what is wrong with a file when its turn comes."""
    raise error


def _from_dataset(samples: Sequence, name: str) -> list[Task]:
    """Tasks for the samples of a data set."""
    return [Task(f"{name} image {index}", partial(samples.__getitem__, index)) for index in range(len(samples))]
