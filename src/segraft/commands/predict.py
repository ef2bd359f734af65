"""Segment many images: the files, folders or samples of a data set that a user names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from segraft.blocks.orders import Workers
from segraft.commands.image_tasks import check_results, image_tasks
from segraft.commands.in_blocks import FORMATS, InBlocks, need_blocks, predict_all
from segraft.commands.one_by_one import do_all
from segraft.commands.segmenting import Segmenting, Task
from segraft.data.choice import DataChoice
from segraft.errors import UserError, choose
from segraft.files import make_folder, some
from segraft.images.listing import left_out
from segraft.images.stacks import Stack
from segraft.model.model import load
from segraft.model.options import PredictOptions, of_one_image
from segraft.model.planes import segment_planes
from segraft.reporting.products import Products
from segraft.terminal.progress import say

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
    object_size: float | Literal["auto"] | None = None,
    channels: Sequence[int] | None = None,
    percentiles: tuple[float, float] | None = None,
    range: Sequence[float] | None = None,
    normalise: Literal["image", "series", "training"] = "image",
    planes: bool = False,
    series: int | None = None,
    tile: Sequence[int] | None = None,
    max_memory: float | None = None,
    blocks: Sequence[int | Literal["auto"]] | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    parquet: bool = False,
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
    model : run folder, model file, or the name of a model that comes with the package: nuclei
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
    object_size : typical diameter of the objects in pixels, in place of the scale; or auto, to measure it on each image
        in a first look at it: it is then rescaled unless the model knows objects of that size
    channels : indices of the image channels to use
    percentiles : of each image's pixels, which become 0 and 1, in place of how the model scales grey values
    range : grey values that become 0 and 1: two for all channels, or two each
    normalise : measure the scale of grey values on each image by itself; on all of them, a series, which then share it;
        or take that of the training images together
    planes : the first axis counts planes, time or z, where the file does not say so itself
    series : number of the image to take, from 0, of files that hold several; by default all of them
    tile : side of the parts that the network computes at once, in pixels, or one per axis; smaller needs less memory
    max_memory : in place of tile, gigabytes that a part may take; by default 4 for volumes. An image that does not fit
        is segmented in blocks
    blocks : segment block by block on all cores, from files and URLs of any size to ``OUT.zarr``, or into a folder;
        sides of the blocks in pixels, or auto. Run again after it was stopped, it goes on. Needs the extra blocks
    workers : processes, with blocks; by default one for each core, fewer where memory is short
    scheduler : address of a running Dask scheduler, tcp://HOST:8786, in place of processes of this machine
    parquet : write the table as Parquet, with blocks
    device : auto, cpu, cuda, cuda:1 or mps

    Raises
    ------
    UserError : the model, the data set, an option or the output folder is at fault, not a single image
    """
    given = locals() | {"normalise": of_one_image(normalise, range)}
    chosen = PredictOptions(**{each.name: given[each.name] for each in fields(PredictOptions)})
    out, true_foreground = Path(out), _from_truth(foreground, dataset)
    loaded = load(model, device)
    hands = Workers(blocks or "auto", scheduler, workers, max_memory)
    suffix = (".parquet" if parquet else ".csv") if table or parquet else None
    unfit = {"dataset": dataset, "overlay": overlay, "planes": planes, "series": series is not None, "tile": tile}
    unfit |= {"normalise series": normalise == "series", f"format {format}": format not in FORMATS}
    lacking = [name for name, value in unfit.items() if value]
    large = InBlocks(model, loaded, replace(chosen, tile=None, max_memory=None), hands, suffix, outlines, lacking)
    if blocks is not None:
        return predict_all(images, out, large, skip_existing)
    need_blocks({"workers": workers, "scheduler": scheduler, "parquet": parquet})
    place = _place(out, format, {"table": table, "outlines": outlines, "overlay": overlay})
    segment = Segmenting(loaded, chosen, true_foreground, planes)
    segment.check(drawn=overlay or outlines)
    tasks = image_tasks(images, segment, series, DataChoice(dataset, root, split, options))
    check_results(tasks, images, lambda name: place(name).paths["labels"], "segment")
    segment = segment.alike(tasks) if normalise == "series" else segment
    make_folder(out)
    do, look = (
        partial(_do, segment, place, skip_existing, large),
        _how_to_look(format, overlay, segment.model.geometry.ndim),
    )
    done, notes = f"images segmented into {out}", lambda: [*segment.doubted(), *look]
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


def _do(
    segment: Segmenting,
    place: Callable[[str], Products],
    skip_existing: bool,
    large: InBlocks,
    task: Task,
) -> bool:
    """Segment one image and write its results; False when they are there already and stay."""
    if task.path is not None and large.needed(task.path):
        return _in_blocks(large, task.path, place(str(task.name)).paths["labels"].with_suffix(".zarr"), skip_existing)
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


def _in_blocks(large: InBlocks, image: Path, out: Path, skip_existing: bool) -> bool:
    """Segment an image that does not fit the memory; False where the result is there already and stays."""
    if skip_existing and out.exists():
        return False
    large.check()
    say(f"{image} does not fit {large.hands.memory / 1e9:.2g} GB: it is segmented in blocks, into {out}")
    say(f"{out}: {large(image, out)} objects")
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
