"""Segment many images: the files, folders or samples of a data set that a user names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segraft.commands.doubts import Doubts
from segraft.commands.one_by_one import do_all
from segraft.data.choice import DataChoice
from segraft.errors import UserError, choose
from segraft.files import make_folder, some
from segraft.images.channels import FEW
from segraft.images.listing import left_out, list_images
from segraft.images.names import image_stem
from segraft.images.normalisation import Series, Unlike
from segraft.images.reading import read_image, split_key
from segraft.images.stacks import Stack, each_image, open_stack
from segraft.images.voxel_size import read_voxel_size
from segraft.model.model import Model, load
from segraft.model.options import PredictOptions, one_by_one
from segraft.model.planes import segment_planes
from segraft.reporting.products import Products
from segraft.terminal.progress import messages, track
from segraft.types import Sample

FOREGROUNDS = {"learnt": False, "truth": True}
SUFFIXES = {"tif": ".tif", "png": ".png", "h5": ".h5", "zarr": ".zarr"}
ADVICE = "predict with a smaller --tile"
LOOK = (
    "label images hold the numbers 1, 2, 3 and so on, which look black in ordinary viewers; open them in Fiji or napari"
)
PICTURES = ", or add --overlay for pictures to look at"
VIEWED = ("tif", "png")
"""Formats that ordinary viewers open."""


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
    fill: bool | None = None,
    scale: Sequence[float] | None = None,
    voxel_size: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    percentiles: tuple[float, float] | None = None,
    range: Sequence[float] | None = None,
    normalise: Literal["image", "series", "training"] = "image",
    planes: bool = False,
    series: int | None = None,
    tile: Sequence[int] | None = None,
    max_memory: float | None = None,
    device: str = "auto",
) -> int:
    """Segment images with a trained model and write a label image for each, with the image's pixel size.

    Label images hold the numbers 1, 2, 3 and so on, which look black in ordinary viewers; ``--overlay`` is for looking.

    Time series and z-stacks are segmented plane by plane by a 2-D model, each plane as an image of its own, and written
    as a stack; a file of several images gives ``NAME_s0``, ``NAME_s1`` and so on.

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
    fill : segments grow over everything in their plane that is not segmented, as in dense tissue; by default if the
        model was trained with a border; ``--no-fill`` leaves membranes 0
    scale : factor, or one per axis, that brings the images to the pixel size of the training images
    voxel_size : pixel size of the images per axis, in nm: for the table, and in place of the scale
    channels : indices of the image channels to use
    percentiles : of each image's pixels, which become 0 and 1, in place of how the model scales grey values
    range : grey values that become 0 and 1: two for all channels, or two each
    normalise : measure the scale of grey values on each image by itself; on all of them, a series, which then share it;
        or take that of the training images together
    planes : the first axis counts planes, time or z, where the file does not say so itself
    series : number of the image to take, from 0, of files that hold several; by default all of them
    tile : side of the parts that the network computes at once, in pixels, or one per axis; smaller needs less memory
    max_memory : in place of tile, gigabytes that a part may take; by default 4 for volumes
    device : auto, cpu, cuda, cuda:1 or mps

    Raises
    ------
    UserError : the model, the data set, an option or the output folder is at fault, not a single image
    """
    out, true_foreground = Path(out), _from_truth(foreground, dataset)
    place = _place(out, format, {"table": table, "outlines": outlines, "overlay": overlay})
    choices: dict[str, Any] = {"segmenter": segmenter, "foreground_threshold": foreground_threshold, "tile": tile}
    choices |= {"thickness": thickness, "minimum_size": minimum_size, "fill": fill, "scale": scale}
    choices |= {"voxel_size": voxel_size, "max_memory": max_memory}
    choices |= {"percentiles": percentiles, "range": range}
    choices["normalise"] = one_by_one(normalise, range)
    segment = Segmenting(load(model, device), PredictOptions(**choices), channels, true_foreground, planes)
    segment.check(drawn=overlay or outlines)
    tasks = _tasks(images, place, segment, series, DataChoice(dataset, root, split, options))
    if normalise == "series":
        segment = segment.alike(tasks)
    make_folder(out)
    do, done = partial(_do, segment, place, skip_existing), f"images segmented into {out}"
    look = _how_to_look(format, overlay, segment.model.geometry.ndim)
    notes = lambda: [*segment.doubts.lines(segment.model.config), *look]  # noqa: E731
    return do_all(tasks, do, "segmenting", done, ADVICE, _others(images), notes)


def _how_to_look(format: str, overlay: bool, ndim: int) -> list[str]:
    """How label images are looked at, in words; nothing where there are pictures or no viewer would open them."""
    return [] if overlay or format not in VIEWED else [LOOK + PICTURES * (ndim == 2)]


def _place(out: Path, format: str, extras: Mapping[str, bool]) -> Callable[[str], Products]:
    """Where the results for an image go, by its name; of the extras those that are asked for."""
    return partial(Products.of, out, choose("format", format, SUFFIXES), [kind for kind in extras if extras[kind]])


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
    planes: bool
    """The first axis of files counts planes."""
    doubts: Doubts = field(default_factory=Doubts)

    def check(self, drawn: bool) -> None:
        """Raise ``UserError`` for a mistake in the options, once; ``drawn``: outlines of the labels are asked for."""
        ndim = self.model.geometry.ndim
        if drawn and ndim != 2:
            raise UserError(f"overlay or outlines: got a {ndim}-D model, expected a 2-D one to draw in; omit them")
        if self.planes and ndim != 2:
            raise UserError(
                f"planes: got a {ndim}-D model, which takes a stack as a volume, expected a 2-D one; omit it"
            )
        self.options.check(self.model.runner, self.model.config)

    def __call__(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels ``(*space)`` of a sample and the image ``(C, *space)`` as the model saw it."""
        if self.true_foreground and sample.labels is None:
            raise UserError(f"{sample.name}: got no labels, expected some for foreground truth; use the learnt one")
        mask = sample.labels > 0 if self.true_foreground and sample.labels is not None else None
        image = self._image(sample)
        with self.model.maps(image, self.options) as maps:
            labels = self.model.labels(maps, self.options, image.shape[1:], mask)
        self.doubts.look(sample.name, image, labels, maps.scale)
        return labels, image

    def alike(self, tasks: Sequence[Task]) -> Segmenting:
        """The same with one scale for all images, measured on them; those that cannot be read are left out.

        Raises ``UserError`` where they differ in type, and where none can be read.
        """
        usual = self.model.config.normalisation
        series = Series(replace(usual, percentiles=self.options.percentiles or usual.percentiles))
        for task in track(tasks, "measuring", messages()):
            try:
                for name, image in self._images(task.read()):
                    series.add(image, name)
            except Unlike:
                raise
            except UserError:
                continue  # which is told when its turn comes
        ends = [end for ends in series.scale().ranges for end in ends]
        return replace(self, options=replace(self.options, range=ends, percentiles=None))

    def compare(self, source: Sample | Stack) -> None:
        """Doubt pixels of another size than those of the training, unless the user has told of it."""
        if self.options.voxel_size is None and self.options.scale is None:
            stored = (source.voxel_size or ())[-self.model.geometry.ndim :]
            self.doubts.compare(source.name, stored, self.model.config)

    def _images(self, source: Sample | Stack) -> Iterator[tuple[str, np.ndarray]]:
        """The images ``(C, *space)`` of a sample, or of a stack plane by plane, with their names."""
        planes = [source.image] if isinstance(source, Sample) else source.planes()
        for plane in planes:
            yield source.name, self._image(Sample(plane, None, source.name))

    def _image(self, sample: Sample) -> np.ndarray:
        """Return the image with the model's channels; the message on others tells of planes where it may be these."""
        try:
            return self.model.channels_first(sample.image, self.channels)
        except UserError as error:
            unclear = self.model.geometry.ndim == 2 and sample.image.ndim == 3 and sample.image.shape[-1] > FEW
            if self.planes or not unclear:
                raise
            raise UserError(f"{error}; if the first axis counts planes, time or z, add --planes") from error

    def open(self, path: Path, name: str) -> Sample | Stack:
        """Read an image file, its channel axis where it is stored; a stack for a 2-D model is read by plane later."""
        geometry = self.model.geometry
        stack = open_stack(path, name, geometry.in_channels, self.planes) if geometry.ndim == 2 else None
        return stack or Sample(read_image(path), None, name, read_voxel_size(path))

    def voxel_size(self, stored: tuple[float, ...] | None) -> tuple[float, ...] | None:
        """Size of voxels in nm per axis: as the user says, else as stored in a file; None if neither tells it.

        Of a stack for a model of images, the size of its planes' pixels.
        """
        ndim = self.model.geometry.ndim
        return self.options.pixel_size(ndim) or (stored[-ndim:] if stored and len(stored) >= ndim else None)


@dataclass(frozen=True)
class Task:
    """One image to segment: how messages call it, how it is read, and its name, where that is known before."""

    source: str
    read: Callable[[], Sample | Stack]
    name: str | None = None


def _tasks(
    images: Sequence[str | Path],
    place: Callable[[str], Products],
    segment: Segmenting,
    series: int | None,
    data: DataChoice,
) -> list[Task]:
    """One task for each image of the files, or of the data set."""
    data.check("the images", files=bool(images))
    if images:
        return _from_files(images, place, segment, series)
    if segment.planes or series is not None:
        raise UserError("planes and series: got a data set, expected files to which they apply; omit them")
    return _from_dataset(data.open(), f"{data.name} {data.split}")


def _from_files(
    images: Sequence[str | Path], place: Callable[[str], Products], segment: Segmenting, series: int | None
) -> list[Task]:
    """Tasks for files, folders and globs; ``UserError`` where two results, or a result and an image, share a path."""
    if series is not None and series < 0:
        raise UserError(f"series: got {series}, expected a number from 0; omit it to take all")
    paths = list_images(images)
    inputs = {split_key(path)[0].resolve() for path in paths}
    owners: dict[Path, str] = {}
    tasks = [task for path in paths for task in _of_file(path, segment, series)]
    for task in tasks:
        target = place(str(task.name)).paths["labels"].resolve()
        if target in inputs:
            raise UserError(f"the labels of {task.source} would replace the image {target}; choose another folder")
        if target in owners:
            raise UserError(f"{owners[target]} and {task.source} would both give {target}; segment into two folders")
        owners[target] = task.source
    return tasks


def _of_file(path: Path, segment: Segmenting, series: int | None) -> list[Task]:
    """Tasks for the images of a file; one that fails where it cannot be opened."""
    try:
        found = each_image(path, series, segment.planes)
    except UserError as error:
        return [Task(str(path), partial(_fail, error), image_stem(path))]
    return [Task(str(each), partial(segment.open, each, name), name) for each, name in found]


def _fail(error: UserError) -> Sample:
    """Raise what is wrong with a file when its turn comes."""
    raise error


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
    source = task.read()
    products = place(source.name)
    if skip_existing and products.complete:
        return False
    size = segment.voxel_size(source.voxel_size)
    segment.compare(source)
    if isinstance(source, Stack):
        products.check_stack(source)
        found = segment_planes(source, segment, "table" in products.paths, size)
        products.write_stack(source, *found, _with_spacing(size, source.voxel_size))
    else:
        products.write(*segment(source), size)
    return True


def _with_spacing(pixel_size: tuple[float, ...] | None, stored: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """Add the distance of a stack's planes along z, where its file tells that, to the size of their pixels, in nm."""
    return (*stored[:-2], *pixel_size) if pixel_size and stored else pixel_size


def _others(images: Sequence[str | Path]) -> str:
    """Files of other kinds that are left out, in words; nothing where there are none."""
    others = left_out(images)
    if not others:
        return ""
    kind = "1 file of another kind" if len(others) == 1 else f"{len(others)} files of other kinds"
    return f"left out {kind}: {some([path.name for path in others])}"
