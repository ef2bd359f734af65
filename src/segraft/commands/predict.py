"""Segment many images: the files, folders or samples of a data set that a user names."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segraft.data.choice import DataChoice
from segraft.errors import UserError, choose, out_of_memory
from segraft.files import make_folder
from segraft.images.listing import list_images
from segraft.images.names import image_stem
from segraft.images.reading import read_image, split_key
from segraft.images.voxel_size import read_voxel_size
from segraft.images.writing import write_image
from segraft.labels.measured_objects import write_table
from segraft.labels.outlines import write_outlines
from segraft.model.model import Model, load
from segraft.model.options import PredictOptions
from segraft.reporting.overlay import overlay as draw_overlay
from segraft.terminal.progress import messages, track
from segraft.types import Sample

FOREGROUNDS = {"learnt": False, "truth": True}
SUFFIXES = {"tif": ".tif", "png": ".png", "h5": ".h5", "zarr": ".zarr"}


def predict(
    model: str | Path,
    images: Sequence[str | Path] = (),
    *,
    out: str | Path,
    dataset: str | None = None,
    root: str | Path | None = None,
    split: str = "test",
    options: dict[str, Any] | None = None,
    format: str = "tif",
    overlay: bool = False,
    table: bool = False,
    outlines: bool = False,
    skip_existing: bool = False,
    segmenter: str | None = None,
    foreground: Literal["learnt", "truth"] = "learnt",
    foreground_threshold: float | None = None,
    thickness: float | None = None,
    minimum_size: int | None = None,
    scale: Sequence[float] | None = None,
    voxel_size: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    tile: Sequence[int] | None = None,
    max_memory: float | None = None,
    device: str = "auto",
) -> int:
    """Segment images with a trained model and write a label image for each.

    Images that cannot be read or segmented are reported on stderr, one line each; the others are done. Returns 0 when
    all were done, 1 when some failed, 2 when all did.

    Parameters
    ----------
    model : run folder or model file
    images : files, folders and globs; or none, and a data set instead
    out : folder for the results: ``NAME.tif``, and on request ``NAME.csv``, ``NAME.geojson``, ``overlays/NAME.png``
    dataset : segment a known data set in place of files
    root : folder of the data set
    split : train, val or test
    options : of the data set's reader, by name
    format : tif (32 bits, compressed), png (up to 65 535 objects), h5 or zarr (array "labels")
    overlay : also draw the outlines on the image
    table : also write size, position, shape and intensity of each object, as CSV; in µm where the pixel size is known
    outlines : also write the outlines as GeoJSON in pixel coordinates, for QuPath
    skip_existing : leave images alone whose results are there
    segmenter : mutex, waterz, multicut or lifted-multicut, in place of what is stored with the weights
    foreground : where objects may lie: learnt, or truth, where the data set's labels are
    foreground_threshold : probability above which a pixel belongs to an object
    thickness : segments that are nowhere thicker, in pixels, join a larger one that they touch; 0 lets them be
    minimum_size : segments of fewer pixels join a larger one that they touch, or vanish
    scale : factor, or one per axis, that brings the images to the pixel size of the training images
    voxel_size : pixel size of the images per axis, in nm: for the table, and in place of the scale
    channels : indices of the image channels to use
    tile : side of the parts that the network computes at once, in pixels, or one per axis; smaller needs less memory
    max_memory : in place of tile, gigabytes that a part may take; by default 4 for volumes
    device : auto, cpu, cuda, cuda:1 or mps

    Raises
    ------
    UserError : the model, the data set, an option or the output folder is at fault, not a single image
    """
    out, true_foreground = Path(out), _from_truth(foreground, dataset)
    extras = {"table": table, "outlines": outlines, "overlay": overlay}
    place = partial(Products.of, out, choose("format", format, SUFFIXES), [kind for kind in extras if extras[kind]])
    choices: dict[str, Any] = {"segmenter": segmenter, "foreground_threshold": foreground_threshold, "tile": tile}
    choices |= {"thickness": thickness, "minimum_size": minimum_size, "scale": scale}
    choices |= {"voxel_size": voxel_size, "max_memory": max_memory}
    segment = Segmenting(load(model, device), PredictOptions(**choices), channels, true_foreground)
    segment.check(drawn=overlay or outlines)
    tasks = _tasks(images, place, DataChoice(dataset, root, split, options))
    make_folder(out)
    return _run(tasks, partial(_do, segment, place, skip_existing), out)


def _from_truth(foreground: str, dataset: str | None) -> bool:
    """Whether the foreground is that of the data set's labels."""
    truth = choose("foreground", foreground, FOREGROUNDS)
    if truth and dataset is None:
        raise UserError("foreground truth: got no data set, expected one with labels; give --dataset and --root")
    return truth


@dataclass(frozen=True)
class Segmenting:
    """How every image is segmented."""

    model: Model
    options: PredictOptions
    channels: Sequence[int] | None
    true_foreground: bool

    def check(self, drawn: bool) -> None:
        """Raise ``UserError`` for a mistake in the options, once; ``drawn``: outlines of the labels are asked for."""
        ndim = self.model.geometry.ndim
        if drawn and ndim != 2:
            raise UserError(f"overlay or outlines: got a {ndim}-D model, expected a 2-D one to draw in; omit them")
        self.options.check(self.model.runner, self.model.config)

    def __call__(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels ``(*space)`` of a sample and the image ``(C, *space)`` as the model saw it."""
        if self.true_foreground and sample.labels is None:
            raise UserError(f"{sample.name}: got no labels, expected some for foreground truth; use the learnt one")
        mask = sample.labels > 0 if self.true_foreground and sample.labels is not None else None
        image = self.model.channels_first(sample.image, self.channels)
        return self.model.segment(image, self.options, mask), image

    def voxel_size(self, sample: Sample) -> tuple[float, ...] | None:
        """Size of a sample's voxels in nm per axis: as the user says, else as its file does; None if neither does."""
        ndim, stored = self.model.geometry.ndim, sample.voxel_size
        return self.options.pixel_size(ndim) or (stored if stored and len(stored) == ndim else None)


@dataclass(frozen=True)
class Products:
    """Where the results for one image go, by kind: ``labels`` and what else was asked for."""

    paths: dict[str, Path]

    @classmethod
    def of(cls, out: Path, suffix: str, extras: Sequence[str], name: str) -> Products:
        """Paths of the results for the image ``name``; overlays lie apart from the label images."""
        paths = {
            "labels": out / f"{name}{suffix}",
            "table": out / f"{name}.csv",
            "outlines": out / f"{name}.geojson",
            "overlay": out / "overlays" / f"{name}.png",
        }
        return cls({kind: paths[kind] for kind in ("labels", *extras)})

    @property
    def complete(self) -> bool:
        """Whether all of them are there."""
        return all(path.exists() for path in self.paths.values())

    def write(self, labels: np.ndarray, image: np.ndarray, voxel_size: Sequence[float] | None) -> None:
        """Write all of them, from labels ``(*space)`` and the image ``(C, *space)``; the labels last.

        ``voxel_size`` is that of the image in nm per axis, None where it is not known.
        """
        if path := self.paths.get("table"):
            write_table(path, labels, image, voxel_size)
        if path := self.paths.get("outlines"):
            write_outlines(path, labels)
        if path := self.paths.get("overlay"):
            write_image(path, draw_overlay(image, labels))
        write_image(self.paths["labels"], labels, key="labels")


@dataclass(frozen=True)
class Task:
    """One image to segment: how messages call it, how it is read, and its name, where that is known before."""

    source: str
    read: Callable[[], Sample]
    name: str | None = None


def _tasks(images: Sequence[str | Path], place: Callable[[str], Products], data: DataChoice) -> list[Task]:
    """One task for each image of the files, or of the data set."""
    data.check("the images", files=bool(images))
    return _from_files(images, place) if images else _from_dataset(data.open(), f"{data.name} {data.split}")


def _from_files(images: Sequence[str | Path], place: Callable[[str], Products]) -> list[Task]:
    """Tasks for files, folders and globs; ``UserError`` where two results, or a result and an image, share a path."""
    paths = list_images(images)
    inputs = {split_key(path)[0].resolve() for path in paths}
    owners: dict[Path, Path] = {}
    tasks = []
    for path in paths:
        name = image_stem(path)
        target = place(name).paths["labels"].resolve()
        if target in inputs:
            raise UserError(f"the labels of {path} would replace the image {target}; give another folder for them")
        if target in owners:
            raise UserError(f"{owners[target]} and {path} would both give {target}; segment them into two folders")
        owners[target] = path
        tasks.append(Task(str(path), partial(_read, path, name), name))
    return tasks


def _read(path: Path, name: str) -> Sample:
    """Read one image file, its channel axis where it is stored."""
    return Sample(read_image(path), None, name, read_voxel_size(path))


def _from_dataset(samples: Sequence, name: str) -> list[Task]:
    """Tasks for the samples of a data set."""
    return [Task(f"{name} image {index}", partial(samples.__getitem__, index)) for index in range(len(samples))]


def _do(
    segment: Segmenting,
    place: Callable[[str], Products],
    skip_existing: bool,
    task: Task,
) -> bool:
    """Segment one image and write its results; False when they are there already and stay."""
    if skip_existing and task.name is not None and place(task.name).complete:
        return False
    sample = task.read()
    products = place(sample.name)
    if skip_existing and products.complete:
        return False
    products.write(*segment(sample), segment.voxel_size(sample))
    return True


def _speed(count: int, seconds: float) -> str:
    """How many images were done in how many seconds, in words."""
    images = "1 image" if count == 1 else f"{count} images"
    return f"{images} in {seconds:.1f} s, {count / max(seconds, 1e-3):.3g} images/s"


def _run(tasks: Sequence[Task], do: Callable[[Task], bool], out: Path) -> int:
    """Do all tasks behind a progress bar, report those that fail, and return the exit code."""
    console, begin = messages(), time.monotonic()
    done = failed = 0
    for task in track(tasks, "segmenting", console):
        try:
            done += do(task)
        except (UserError, MemoryError, RuntimeError) as error:
            lacking = out_of_memory(error)
            if not (lacking or isinstance(error, UserError)):
                raise
            failed += 1
            reason = "too little memory; predict with a smaller --tile" if lacking else str(error)
            console.print(reason if task.source in reason else f"{task.source}: {reason}")
    skipped = len(tasks) - done - failed
    notes = [f"{skipped} already there"] * (skipped > 0) + [f"{failed} failed"] * (failed > 0)
    print(f"{done} of {len(tasks)} images segmented into {out}", *notes, sep=", ")
    if done:
        print(_speed(done, time.monotonic() - begin))
    return 0 if not failed else 1 if failed < len(tasks) else 2
