"""Prediction block by block, from an image of any size to an OME-Zarr label image, killed and resumed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segraft.blocks import graph, separate
from segraft.blocks.arrays import for_workers, place
from segraft.blocks.changes import checksum_kept, checksum_now, last_written, look_again
from segraft.blocks.cluster import check_installed, refuse_import, workers
from segraft.blocks.job import Job
from segraft.blocks.orders import Extras, Workers, job_of, pixel_size, settings_of, with_scale
from segraft.blocks.plan import dense
from segraft.blocks.resized import bring_back
from segraft.blocks.running import Distributed
from segraft.blocks.survey import scale_of
from segraft.blocks.work_folder import WorkFolder, differences
from segraft.blocks.writing import write, write_measured
from segraft.errors import UserError
from segraft.files import unwritable
from segraft.images.lazy import lazy_source
from segraft.images.normalisation import Scale
from segraft.images.reading import is_url
from segraft.model.model import Model, load
from segraft.model.model_file import locate
from segraft.model.options import PredictOptions
from segraft.terminal.progress import say

SUFFIX = ".zarr"
OPTIONS = tuple(each.name for each in fields(PredictOptions) if each.name not in ("tile", "max_memory"))
"""Options of a prediction that apply in blocks."""


def predict(
    model: str | Path,
    image: Any,
    *,
    out: str | Path,
    blocks: Literal["auto"] | int | Sequence[int] = "auto",
    scheduler: str | None = None,
    workers: int | None = None,
    max_memory: float | None = None,
    table: str | Path | None = None,
    outlines: str | Path | None = None,
    segmenter: str | None = None,
    foreground_threshold: float | None = None,
    thickness: float | None = None,
    minimum_size: int | None = None,
    fill: bool | None = None,
    scale: float | Sequence[float] | None = None,
    voxel_size: float | Sequence[float] | None = None,
    object_size: float | Literal["auto"] | None = None,
    channels: Sequence[int] | None = None,
    percentiles: tuple[float, float] | None = None,
    range: Sequence[float] | None = None,
    normalise: Literal["image", "training"] = "image",
    device: str = "auto",
) -> int:
    """Segment an image that may be larger than memory, block by block, and return how many objects there are.

    Separate objects are those of the whole image, whatever the blocks: a piece of foreground is partitioned once, with
    all its pixels. Of dense tissue the fragments are cut block by block, and joined in one graph of the whole image.

    Run again after it was stopped or killed, the same call goes on where it was. What is done so far lies in
    ``.NAME.blocks`` beside the output, which is removed at the end.

    Parameters
    ----------
    model : run folder, model file or name of a model; on a cluster a path that all workers see
    image : path or URL of a zarr or OME-Zarr, h5, tif or npy; or an array of NumPy, zarr or Dask
    out : the OME-Zarr (0.5) label image to write, ``NAME.zarr``; on a cluster a path that all workers see
    blocks : shape of the blocks in pixels; or auto, what the memory of a worker holds
    scheduler : address of a Dask scheduler, ``tcp://HOST:8786``; by default processes of this machine
    workers : processes of this machine; by default one for each core, fewer where memory is short
    max_memory : gigabytes that the workers share; by default 60 % of the machine's. On a cluster those that a task may
        take, by default of what its workers are allowed
    table : write size, position and intensity of each object as ``.csv`` or ``.parquet``
    outlines : write the outlines of each object as GeoJSON, of images alone
    segmenter, foreground_threshold, thickness, minimum_size, fill, scale, voxel_size, object_size, channels,
    percentiles, range, normalise
        as of `segraft.predict`
    device : auto, cpu, cuda or cuda:1, of each worker

    Raises
    ------
    UserError : image, model, options or output do not fit, an image cannot be read, workers die; run again after that
    """
    refuse_import()
    given = locals() | {"normalise": None if normalise == "image" else normalise}
    options = PredictOptions(**{name: given[name] for name in OPTIONS})
    extras = Extras(*(None if each is None else Path(each) for each in (table, outlines)))
    return run(
        model, image, Path(out), options, extras, Workers(blocks, scheduler, workers, max_memory), load(model, device)
    )


def run(
    model: str | Path, image: Any, out: Path, options: PredictOptions, extras: Extras, hands: Workers, loaded: Model
) -> int:
    """Segment an image with a model, loaded already; see ``predict``."""
    check_installed()
    options.check(loaded.runner, loaded.config)
    graph.check(options.segmentation(loaded.config))
    folder = WorkFolder(_checked(out).absolute().with_name(f".{out.stem}.blocks"))
    geometry = loaded.geometry
    given = lazy_source(
        _absolute(image), geometry.ndim, geometry.in_channels, options.channels or loaded.config.channels
    )
    extras.check(given)
    options = with_scale(loaded, given, options)
    source, before = for_workers(given, folder), folder.settings() or _about(out).get("settings", {})
    job, count = job_of(loaded, locate(model), source, options, folder, hands, before)
    job, settings = replace(job, written=last_written(given)), settings_of(job, options)
    if out.exists() and not folder.path.exists():
        return _finished(out, job, settings, extras)
    with folder.locked():
        if out.exists():  # and what it was made from is still to be removed
            objects = _finished(out, job, settings, extras)
        else:
            folder.agree(settings)
            place(given.where, source)
            memory = (hands.memory - hands.driver(loaded)) / count
            with workers(hands.scheduler, count, memory, hands.patience) as client:
                stages = Distributed(job, client, hands.patience)
                objects = _segment(stages, loaded, options, out, extras)
        shutil.rmtree(folder.path, ignore_errors=True)
    return objects


def _absolute(image: Any) -> Any:
    """The path of an image as workers understand it, which may run elsewhere; URLs and arrays stay."""
    return os.path.abspath(image) if isinstance(image, str | Path) and not is_url(image) else image


def _checked(out: Path) -> Path:
    """The output, if it is the name of a zarr."""
    if out.suffix.lower() != SUFFIX:
        raise UserError(f"{out}: got {out.suffix or 'no suffix'}, expected NAME{SUFFIX}, which blocks are written to")
    return out


def _about(out: Path) -> dict[str, Any]:
    """What a finished run has written of itself; nothing where the output is no such run's, or is not there."""
    import zarr

    try:
        return dict(zarr.open_group(out, mode="r").attrs.get("segraft", {}))  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError):
        return {}


def _finished(out: Path, job: Job, settings: dict[str, Any], extras: Extras) -> int:
    """How many objects a finished run found; ``UserError`` where the output is of another run, or of another image."""
    about = _about(out)
    differing = differences(settings, about.get("settings", {})) if about else "it was not written in blocks"
    if differing:
        raise UserError(f"{out} is there, with other settings: {differing}; choose another name, or remove it")
    missing = [str(path) for path in (extras.table, extras.outlines) if path is not None and not path.exists()]
    if missing:
        raise UserError(
            f"{out} is there, but not {' and '.join(missing)}, expected both of one run; remove {out} and run again"
        )
    if about["written"] != job.written:
        say(f"{job.source.name} was written since; looking whether it changed")
        if about["checksum"] != checksum_now(job):
            raise UserError(
                f"{out} is there, of {job.source.name} as it was before it changed, expected the same image; choose "
                "another name, or remove it"
            )
    say(f"{out} is there, and complete")
    return int(about["objects"])


def _segment(run: Distributed, loaded: Model, options: PredictOptions, out: Path, extras: Extras) -> int:
    """Do all stages and put the result in its place."""
    job = run.job
    given = options.range is not None or options.normalise == "training"
    usual = loaded.config.normalisation
    measured = None if given else replace(usual, percentiles=options.percentiles or usual.percentiles)
    look_again(job, run)
    found, absent = scale_of(job, run, measured)
    job = run.job = replace(job, scale=found or _given_scale(job, loaded, options))
    segmented = (graph if dense(job.segmentation) else separate).segment(job, run)
    segmented = bring_back(job, run, segmented) if job.resized else segmented
    image = {"written": job.written, "checksum": checksum_kept(job)}
    about = {"settings": settings_of(job, options), "objects": segmented.objects, **image}
    size = pixel_size(job, options)
    store = write(job, run, segmented, extras.measured, size, about)
    if extras.measured:
        write_measured(job, run, extras.table, extras.outlines, size)
    run.tell()
    _notes(job, segmented.objects, segmented.cut, absent)
    with unwritable(out):
        os.replace(store, out)
    return segmented.objects


def _given_scale(job: Job, loaded: Model, options: PredictOptions) -> Scale:
    """The scale that a user or the model gives; only the type of the image matters for it."""
    few = np.zeros((job.source.channels, *(1,) * len(job.space)), job.source.dtype)
    return options.scale_of(few, loaded.config)


def _notes(job: Job, objects: int, cut: int, absent: int) -> None:
    """Say what a user should know of the result."""
    if absent:
        say(f"{absent} of {len(job.image_grid)} blocks lack chunks, which read as the fill value")
    if cut:
        say(
            f"{cut} pieces of foreground were larger than a worker's memory, were cut at block borders and stitched; "
            "give more --max-memory to segment them whole"
        )
    if job.scale.signal is False:
        say(f"{job.source.name} shows no more contrast than noise")
    if not objects:
        say("nothing found; where there should be, look at channel and pixel size, or lower --foreground-threshold")
