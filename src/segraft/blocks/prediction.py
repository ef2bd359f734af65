"""Prediction block by block, from an image of any size to an OME-Zarr label image, killed and resumed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from segraft.blocks import graph, separate
from segraft.blocks.cluster import cores, workers
from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job
from segraft.blocks.object_table import check_table
from segraft.blocks.plan import Plan, dense, of_user, plan
from segraft.blocks.running import Distributed
from segraft.blocks.survey import scale_of
from segraft.blocks.work_folder import SETTINGS, WorkFolder, differences
from segraft.blocks.writing import write, write_measured
from segraft.errors import UserError
from segraft.files import digest, read_json, unwritable
from segraft.images.lazy import Source, lazy_source
from segraft.images.normalisation import Scale
from segraft.labels.outlines import check_flat
from segraft.model.model import Model, load
from segraft.model.model_file import locate
from segraft.model.options import PredictOptions
from segraft.terminal.progress import say
from segraft.types import Space

SHARE = 0.6
"""Of the machine's memory, what workers share unless told otherwise."""
SUFFIX = ".zarr"


@dataclass(frozen=True)
class Extras:
    """What is written beside the labels."""

    table: Path | None
    outlines: Path | None

    @property
    def measured(self) -> bool:
        """Whether objects are measured."""
        return self.table is not None or self.outlines is not None


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
    max_memory : gigabytes that the workers share; by default 60 % of the machine's. On a cluster, of each worker
    table : write size, position and intensity of each object as ``.csv`` or ``.parquet``
    outlines : write the outlines of each object as GeoJSON, of images alone
    segmenter, foreground_threshold, thickness, minimum_size, fill, channels, percentiles, range, normalise
        as of `segraft.predict`
    device : auto, cpu, cuda or cuda:1, of each worker

    Raises
    ------
    UserError : image, model, options or output do not fit, an image cannot be read, workers die; run again after that
    """
    given = locals() | {"normalise": None if normalise == "image" else normalise}
    names = ("segmenter", "foreground_threshold", "thickness", "minimum_size", "fill", "channels", "percentiles")
    options = PredictOptions(**{name: given[name] for name in (*names, "range", "normalise")})
    out, extras = _checked(Path(out)), Extras(*(None if each is None else Path(each) for each in (table, outlines)))
    loaded, file = load(model, device), locate(model)
    options.check(loaded.runner, loaded.config)
    ndim = loaded.geometry.ndim
    source = lazy_source(image, ndim, loaded.geometry.in_channels, channels or loaded.config.channels)
    _check_extras(extras, source)
    folder = WorkFolder(out.with_name(f".{out.stem}.blocks"))
    job, chosen = _job(loaded, file, source, options, folder, of_user(blocks, ndim), max_memory, workers, scheduler)
    settings = _settings(job, options)
    if out.exists():
        return _finished(out, settings)
    with folder.locked():
        folder.agree(settings)
        objects = _run(job, loaded, options, chosen, scheduler, max_memory, out, extras)
    shutil.rmtree(folder.path, ignore_errors=True)
    return objects


def _checked(out: Path) -> Path:
    """The output, if it is the name of a zarr."""
    if out.suffix.lower() != SUFFIX:
        raise UserError(f"{out}: got {out.suffix or 'no suffix'}, expected NAME{SUFFIX}, which blocks are written to")
    return out


def _check_extras(extras: Extras, source: Source) -> None:
    """Raise ``UserError`` for a table in no known format, and outlines of volumes."""
    if extras.table is not None:
        check_table(extras.table)
    if extras.outlines is not None:
        check_flat(source.space)


def _job(
    loaded: Model,
    file: Path,
    source: Source,
    options: PredictOptions,
    folder: WorkFolder,
    block: Space | None,
    max_memory: float | None,
    count: int | None,
    scheduler: str | None,
) -> tuple[Job, Plan]:
    """What tasks know, and how many workers there are; what a run that is to go on has chosen stays."""
    segmentation = options.segmentation(loaded.config)
    memory, count = _memory(max_memory), 1 if scheduler else count or cores()
    before = read_json(folder.path / SETTINGS, "the settings of a run") if (folder.path / SETTINGS).exists() else {}
    block = block or (tuple(before["blocks"]) if before else None)
    chosen = plan(loaded, segmentation, source.space, block, memory, count)
    if before and tuple(before["blocks"]) == chosen.block:
        chosen = chosen._replace(tile=tuple(before["tile"]), largest=before["largest"])
    grid = Grid(source.space, chosen.block)
    device = loaded.runner.device
    names = folder, source, str(file.resolve()), digest(file), device, grid, loaded.offsets, segmentation
    return Job(*names, chosen.tile, chosen.largest), chosen


def _memory(gigabytes: float | None) -> float:
    """Bytes that workers share."""
    if gigabytes is not None:
        return gigabytes * 1e9
    try:
        from distributed.system import MEMORY_LIMIT
    except ImportError:
        return 8e9  # Dask is missed later, in one line
    return SHARE * MEMORY_LIMIT


def _settings(job: Job, options: PredictOptions) -> dict[str, Any]:
    """All that the labels depend on."""
    scaling = {"percentiles": options.percentiles, "range": options.range, "normalise": options.normalise}
    settings = {
        "format": 1,
        "image": str(job.source.where) if isinstance(job.source.where, str | Path) else job.source.name,
        "shape": list(job.space),
        "pixels": job.source.dtype.name,
        "channels": list(job.source.layout.chosen),
        "model": job.digest,
        "segmentation": asdict(job.segmentation),
        "scaling": {name: None if value is None else value for name, value in scaling.items()},
        "blocks": list(job.grid.block),
        "tile": list(job.tile or ()),
        "largest": job.largest,
    }
    return dict(json.loads(json.dumps(settings)))


def _finished(out: Path, settings: dict[str, Any]) -> int:
    """How many objects a finished run found; ``UserError`` where the output is of another run."""
    import zarr

    about: Any = dict(zarr.open_group(out, mode="r").attrs).get("segraft", {}) if out.is_dir() else {}
    differing = differences(settings, about.get("settings", {})) if about else "it was not written in blocks"
    if differing:
        raise UserError(f"{out} is there, with other settings: {differing}; choose another name, or remove it")
    say(f"{out} is there, and complete")
    return int(about["objects"])


def _run(
    job: Job,
    loaded: Model,
    options: PredictOptions,
    chosen: Plan,
    scheduler: str | None,
    max_memory: float | None,
    out: Path,
    extras: Extras,
) -> int:
    """Do all stages and put the result in its place."""
    settings = _settings(job, options)
    with workers(scheduler, chosen.workers, _memory(max_memory) / chosen.workers) as client:
        run = Distributed(job, client)
        given = options.range is not None or options.normalise == "training"
        usual = loaded.config.normalisation
        measured = None if given else replace(usual, percentiles=options.percentiles or usual.percentiles)
        found, absent = scale_of(job, run, measured)
        job = run.job = replace(job, scale=found or _given_scale(job, loaded, options))
        segmented = (graph if dense(job.segmentation) else separate).segment(job, run)
        about = {"settings": settings, "objects": segmented.objects}
        store = write(job, run, segmented, extras.measured, about)
        if extras.measured:
            write_measured(job, run, extras.table, extras.outlines, job.source.voxel_size)
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
        say(f"{absent} of {len(job.grid)} blocks lack chunks, which read as the fill value")
    if cut:
        say(
            f"{cut} pieces of foreground were larger than a worker's memory, were cut at block borders and stitched; "
            "give more --max-memory to segment them whole"
        )
    if job.scale.signal is False:
        say(f"{job.source.name} shows no more contrast than noise")
    if not objects:
        say("nothing found; where there should be, look at channel and pixel size, or lower --foreground-threshold")
