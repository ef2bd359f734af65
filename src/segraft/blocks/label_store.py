"""Label images written block by block: OME-Zarr 0.5, in several levels, sharded and compressed.

A block is a shard, a file of its own: blocks may be written at the same time, by any number of processes, as long as
each is written by one. A shard is there completely or not at all; one of background alone is no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.pyramid import Level, coarsened, levels
from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.images.calibration import VERSION
from segraft.images.reading import unreadable
from segraft.model.tiling import Region

CHUNK = {2: 512, 3: 64}
"""The longest side of the parts that a shard is read in, by the number of axes.

Measured on cells and neurites: smaller ones make no smaller files and take up to twice the time.
"""
ZSTD = 3
"""Level of compression. Labels shrink to 2 % and less, hardly more than blosc with its shuffles makes of them."""
AXES = "zyx"


def create(
    path: str | Path,
    space: Sequence[int],
    dtype: Any,
    block: Sequence[int],
    voxel_size: Sequence[float] | None = None,
    *,
    name: str = "labels",
    source: str | None = None,
) -> None:
    """Make an OME-Zarr label image ``(*space)`` of background alone, with all its levels.

    ``dtype`` is uint32 or uint64; ``block`` the pixels per axis of a block, in every level. The ``voxel_size`` is in
    nm per axis. OME-Zarr keeps a ``name`` and the ``source``, the image's path as seen from ``path``. Raises
    ``UserError`` for a place that is taken, a full disk or a read-only folder.
    """
    import zarr
    from zarr.codecs import ZstdCodec

    if np.dtype(dtype) not in (np.dtype(np.uint32), np.dtype(np.uint64)):
        raise ValueError(f"got labels of {np.dtype(dtype)}, expected uint32 or uint64")
    if Path(path).exists():
        raise UserError(f"{path} exists, expected a new folder; choose another name or delete it")
    pyramid = levels(space, voxel_size)
    attributes: dict[str, Any] = {"ome": _ome(name, pyramid, voxel_size, source)}
    with unwritable(Path(path)), replacing(Path(path)) as temporary:
        group = zarr.create_group(temporary, attributes=attributes)
        for number, level in enumerate(pyramid):
            group.create_array(
                str(number),
                shape=level.space,
                dtype=dtype,
                chunks=_chunk(block),
                shards=tuple(block),
                compressors=ZstdCodec(level=ZSTD),
                fill_value=0,
                dimension_names=list(AXES[-len(space) :]),
            )


def describe(path: str | Path, about: dict[str, Any]) -> None:
    """Keep what is to be known of a label image, json, with it. Raises ``UserError`` as ``create``."""
    import zarr

    with unwritable(Path(path)):
        attributes = zarr.open_group(path, mode="r+").attrs
        if attributes.get("segraft") != about:
            attributes["segraft"] = about


def _chunk(block: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of the parts of a block: its longest divisor per axis, if it has a long one, else its side."""
    longest = CHUNK[len(block)]
    return tuple(
        next((part for part in range(min(side, longest), longest // 4, -1) if side % part == 0), side) for side in block
    )


def _ome(name: str, pyramid: Sequence[Level], voxel_size: Sequence[float] | None, source: str | None) -> dict[str, Any]:
    """Return what OME-Zarr states of a label image and its levels: a pixel lies in the centre of those it covers."""
    ndim = len(pyramid[0].space)
    unit = {} if voxel_size is None else {"unit": "micrometer"}
    size = np.ones(ndim) if voxel_size is None else np.divide(voxel_size, 1e3)
    datasets = []
    for number, level in enumerate(pyramid):
        factors = np.array(level.factors)
        scale = {"type": "scale", "scale": (size * factors).tolist()}
        translation = {"type": "translation", "translation": (size * (factors - 1) / 2).tolist()}
        datasets.append({"path": str(number), "coordinateTransformations": [scale, translation]})
    scales = {
        "name": name,
        "axes": [{"name": axis, "type": "space", **unit} for axis in AXES[-ndim:]],
        "datasets": datasets,
        "type": "mode",
    }
    image = {} if source is None else {"source": {"image": source}}
    return {"version": VERSION, "multiscales": [scales], "image-label": {"version": VERSION, **image}}


def write_block(path: str | Path, box: Region, labels: np.ndarray) -> None:
    """Write one block of the finest level, ``box`` of its grid, without reading; see ``create``.

    Raises ``UserError`` for a full disk or a read-only folder, ``ValueError`` for a box that is no block.
    """
    _write(path, 0, box, labels)


def _write(path: str | Path, level: int, box: Region, labels: np.ndarray) -> None:
    """Write one block of a level."""
    array, blocks = _array(path, level, "r+"), blocks_of(path, level)
    number = next(blocks.touched(box))
    if box != blocks.box(number) or labels.shape != blocks.shape(number):
        raise ValueError(f"got labels {labels.shape} for {box}, expected a whole block of {blocks}")
    with unwritable(Path(path)):
        if labels.shape != blocks.block:  # at the end zarr would read the shard, and might find a damaged one
            key = array.metadata.encode_chunk_key(blocks.place(number))
            (Path(path) / str(level) / key).unlink(missing_ok=True)
        array[box] = labels


def _array(path: str | Path, level: int, mode: Any = "r") -> Any:
    """Open the array of a level."""
    import zarr

    return zarr.open_array(Path(path) / str(level), mode=mode)


def read_box(path: str | Path, box: Region, level: int = 0) -> np.ndarray:
    """Read a box of a level, which must lie inside it. Raises ``UserError`` for a damaged file."""
    with unreadable(Path(path), "labels written block by block"):
        return np.asarray(_array(path, level)[box])


def level_count(path: str | Path) -> int:
    """Return how many levels there are."""
    return len(_datasets(path))


def _datasets(path: str | Path) -> list[dict[str, Any]]:
    """Return what OME-Zarr states of the levels."""
    import zarr

    stated: Any = zarr.open_group(path, mode="r").attrs["ome"]
    return list(stated["multiscales"][0]["datasets"])


def blocks_of(path: str | Path, level: int = 0) -> Grid:
    """Return the blocks of a level; from 1 on those that ``write_coarser`` writes."""
    array = _array(path, level)
    return Grid(array.shape, array.shards)


def write_coarser(path: str | Path, level: int, box: Region) -> None:
    """Write one block of level 1 or above, one of ``blocks_of``, from the next finer level, complete by then.

    Memory grows with the block: the finer level is read in parts of that size. See ``coarsened`` for the ids. Raises
    ``UserError`` for a full disk or a read-only folder.
    """
    finer, steps = _array(path, level - 1), _steps(path, level)
    labels = np.zeros([side.stop - side.start for side in box], finer.dtype)
    parts = Grid(labels.shape, tuple(-(-size // step) for size, step in zip(labels.shape, steps, strict=True)))
    for place in parts:
        fine = tuple(
            slice((whole.start + part.start) * step, min((whole.start + part.stop) * step, end))
            for whole, part, step, end in zip(box, place, steps, finer.shape, strict=True)
        )
        labels[place] = coarsened(read_box(path, fine, level - 1), steps)
    _write(path, level, box, labels)


def factors(path: str | Path) -> list[tuple[int, ...]]:
    """Return for each level how many pixels of the finest level a pixel covers per axis."""
    scales = [each["coordinateTransformations"][0]["scale"] for each in _datasets(path)]
    return [tuple(round(long / short) for long, short in zip(scale, scales[0], strict=True)) for scale in scales]


def _steps(path: str | Path, level: int) -> list[int]:
    """Return how many pixels of the next finer level a pixel of a level covers per axis."""
    finer, coarser = factors(path)[level - 1 : level + 1]
    return [long // short for long, short in zip(coarser, finer, strict=True)]


def tidy(path: str | Path) -> None:
    """Delete what processes that were killed while they wrote have left; nobody may write meanwhile."""
    for leftover in Path(path).rglob("*.partial"):
        leftover.unlink(missing_ok=True)
