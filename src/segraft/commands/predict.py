"""Segment many images: the files, folders or samples of a data set that a user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segraft.data import open_dataset
from segraft.errors import UserError, choose, out_of_memory
from segraft.files import unwritable
from segraft.images.listing import list_images
from segraft.images.reading import read_image, split_key
from segraft.images.writing import write_image
from segraft.labels.measured_objects import write_table
from segraft.labels.outlines import write_outlines
from segraft.model.model import Model, load
from segraft.reporting.overlay import overlay as draw_overlay
from segraft.types import Sample

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
    foreground: float | Literal["truth"] | None = None,
    minimum_size: int | None = None,
    scale: Sequence[float] | None = None,
    voxel_size: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    tile: Sequence[int] | None = None,
    memory: float | None = None,
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
    table : also write area, centroid, bounding box and mean intensity of each object, as CSV
    outlines : also write the outlines as GeoJSON in pixel coordinates, for QuPath
    skip_existing : leave images alone whose results are there
    segmenter : mutex, waterz, multicut or lifted-multicut, in place of what is stored with the weights
    foreground : probability above which a pixel belongs to an object, or truth: where the data set's labels do
    minimum_size : segments of fewer pixels join a larger one that they touch, or vanish
    scale : factor, or one per axis, that brings the images to the pixel size of the training images
    voxel_size : pixel size of the images per axis, in nm, in place of the scale
    channels : indices of the image channels to use
    tile : side of the parts that the network computes at once, in pixels, or one per axis; smaller needs less memory
    memory : in place of tile, gigabytes that a part may take; by default 4 for volumes
    device : auto, cpu, cuda, cuda:1 or mps

    Raises
    ------
    UserError : the model, the data set, an option or the output folder is at fault, not a single image
    """
    out, truth = Path(out), foreground == "truth"
    if truth and dataset is None:
        raise UserError("foreground truth came without a data set; wanted one with labels; give --dataset and --root")
    extras = {"table": table, "outlines": outlines, "overlay": overlay}
    suffix = choose("format", format, SUFFIXES)
    place = partial(Products.of, out, suffix, tuple(kind for kind, asked in extras.items() if asked))
    loaded = load(model, device)
    choices: dict[str, Any] = {"minimum_size": minimum_size, "scale": scale, "voxel_size": voxel_size, "tile": tile}
    choices |= {"memory": memory, "segmenter": segmenter}
    choices["foreground"] = None if truth else foreground
    _try_choices(loaded, choices, drawn=overlay or outlines)
    if dataset is None:
        tasks = _from_files(images, root, options, place)
    elif images:
        raise UserError(f"images came besides the data set {dataset!r}; wanted either; leave one away")
    else:
        tasks = _from_dataset(open_dataset(dataset, root, split, **(options or {})), f"{dataset} {split}")
    with unwritable(out):
        out.mkdir(parents=True, exist_ok=True)
    segment = partial(_segment, loaded, choices, channels, truth)
    return _run(tasks, partial(_do, segment, place, skip_existing), out)


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

    def write(self, labels: np.ndarray, image: np.ndarray) -> None:
        """Write all of them, from labels ``(*space)`` and the image ``(C, *space)``; the labels last."""
        if path := self.paths.get("table"):
            write_table(path, labels, image)
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


def _try_choices(model: Model, choices: dict[str, Any], drawn: bool) -> None:
    """Segment a small black image: a mistake in the options is answered once, not for each image."""
    ndim = model.network.ndim
    if drawn and ndim != 2:
        raise UserError(f"overlay or outlines came with a {ndim}-D model; they are drawn in 2-D; leave them away")
    count = model.network.in_channels
    black = np.zeros((count, *(16 + count,) * ndim), np.uint8)
    model.predict(black, **choices, channels=range(count))


def _from_files(
    images: Sequence[str | Path],
    root: str | Path | None,
    options: Mapping[str, Any] | None,
    place: Callable[[str], Products],
) -> list[Task]:
    """Tasks for files, folders and globs; ``UserError`` where two results, or a result and an image, share a path."""
    if root is not None or options:
        raise UserError(
            f"root {root} and options {dict(options or {})} came without a data set; wanted one as well; "
            "give --dataset, or images only"
        )
    paths = list_images(images)
    inputs = {split_key(path)[0].resolve() for path in paths}
    owners: dict[Path, Path] = {}
    tasks = []
    for path in paths:
        name = split_key(path)[0].stem.removesuffix(".ome")
        target = place(name).paths["labels"].resolve()
        if target in inputs:
            raise UserError(f"the labels of {path} would replace the image {target}; wanted another folder for them")
        if target in owners:
            raise UserError(f"{owners[target]} and {path} would both give {target}; segment them into two folders")
        owners[target] = path
        tasks.append(Task(str(path), partial(_read, path, name), name))
    return tasks


def _read(path: Path, name: str) -> Sample:
    """Read one image file, its channel axis where it is stored."""
    return Sample(read_image(path), None, name)


def _from_dataset(samples: Sequence, name: str) -> list[Task]:
    """Tasks for the samples of a data set."""
    return [Task(f"{name} image {index}", partial(samples.__getitem__, index)) for index in range(len(samples))]


def _segment(
    model: Model, choices: dict[str, Any], channels: Sequence[int] | None, truth: bool, sample: Sample
) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels ``(*space)`` of a sample and the image ``(C, *space)`` as the model saw it."""
    if truth and sample.labels is None:
        raise UserError(f"{sample.name} has no labels; wanted them for foreground truth; use the learnt foreground")
    mask = sample.labels > 0 if truth and sample.labels is not None else None
    labels = model.predict(sample.image, **choices, channels=channels, true_foreground=mask)
    return labels, model.channels_first(sample.image, channels)


def _do(
    segment: Callable[[Sample], tuple[np.ndarray, np.ndarray]],
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
    products.write(*segment(sample))
    return True


def _run(tasks: Sequence[Task], do: Callable[[Task], bool], out: Path) -> int:
    """Do all tasks behind a progress bar, report those that fail, and return the exit code."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    done = failed = 0
    for task in track(tasks, "segmenting", console=console, disable=not console.is_terminal):
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
    return 0 if not failed else 1 if failed < len(tasks) else 2
