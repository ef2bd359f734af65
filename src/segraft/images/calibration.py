"""Axes and the size of voxels, stated where other programs look for them in h5 and zarr."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segraft.images.formats import described

VERSION = "0.5"
"""Of OME-Zarr, the one for zarr's third format."""
KNOWN = {"T": {"name": "t", "type": "time"}, "Z": {"name": "z", "type": "space"}}
PLANE = {"name": "plane"}
"""An axis without a name."""


def spacing(axes: str, voxel_size: Sequence[float]) -> list[float]:
    """Return the size in µm along the axes of space among ``(*axes, y, x)``, from one in nm, with z or without."""
    count = 3 if "Z" in axes and len(voxel_size) == 3 else 2
    return [size / 1e3 for size in voxel_size[-count:]]


def state_in_h5(file: Path, key: str, axes: str, voxel_size: Sequence[float] | None) -> None:
    """State the size of a voxel as ilastik and PlantSeg do: ``element_size_um`` on the array."""
    import h5py

    if voxel_size:
        with h5py.File(file, "a") as opened:
            opened[key].attrs["element_size_um"] = spacing(axes, voxel_size)


def state_in_zarr(store: Path, key: str, axes: str, voxel_size: Sequence[float] | None) -> None:
    """State axes and the size of a voxel as OME-Zarr does, in the group, which becomes a pyramid of one level.

    A group that describes another array is left as it is.
    """
    import zarr

    group = zarr.open_group(store, mode="r+")
    stated = dict(described(group))
    paths = [level["path"] for scales in stated.get("multiscales", ()) for level in scales["datasets"]]
    if paths not in ([], [key]):
        return
    scales = _scales(key, axes, voxel_size)
    group.attrs["ome"] = {**stated, "version": VERSION, "multiscales": [scales]}


def _scales(key: str, axes: str, voxel_size: Sequence[float] | None) -> dict[str, Any]:
    """Return OME-Zarr's description of an array ``(*axes, y, x)`` by its key."""
    named = [dict(KNOWN.get(letter, PLANE)) for letter in axes]
    named += [{"name": name, "type": "space"} for name in "yx"]
    factors = [1.0] * len(named)
    sizes = spacing(axes, voxel_size) if voxel_size else []
    space = [place for place, axis in enumerate(named) if axis.get("type") == "space"]
    for place, size in zip(space[len(space) - len(sizes) :], sizes, strict=True):
        named[place]["unit"], factors[place] = "micrometer", size
    transforms = [{"type": "scale", "scale": factors}]
    return {"name": key, "axes": named, "datasets": [{"path": key, "coordinateTransformations": transforms}]}
