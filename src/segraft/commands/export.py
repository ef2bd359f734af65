"""Export a model to run without PyTorch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segraft.data import open_dataset
from segraft.errors import UserError, choose
from segraft.images.listing import list_images
from segraft.images.reading import read_image
from segraft.images.windows import crop
from segraft.model import checkpoint, model_file
from segraft.model.model import Model, load
from segraft.model.onnx_file import SUFFIX
from segraft.run_folder import RunFolder

KINDS = {"onnx": SUFFIX}
"""Endings of the files, by what is exported to."""
WINDOWS = 3
"""Images on which an export is compared with the original."""
SIDE = {2: 512, 3: 96}
"""Pixels per side of what is looked at of each at most, by dimension, unless the network takes no smaller windows."""


def export(
    model: str | Path,
    *,
    to: str = "onnx",
    out: str | Path | None = None,
    images: Sequence[str | Path] = (),
) -> Path:
    """Export a model to one file that runs without PyTorch, and return its path.

    The file holds the network, for images of any size, and all that prediction needs to know; `load`, ``predict``,
    ``tune``, ``benchmark``, ``report`` and ``info`` take it as they take the model itself. Before anything is kept, it
    is run beside the original on windows of images, and refused where they differ.

    Parameters
    ----------
    model : run folder or model file
    to : onnx, which ONNX Runtime runs
    out : the file; by default beside the model
    images : files or folders of images to compare on; by default validation images of the run, else noise

    Raises
    ------
    UserError : there is no model, what it takes to export is not installed, the export differs from the original, or
        the file cannot be written
    """
    ending = choose("what to export to", to, KINDS)
    source = model_file.locate(model)
    path = source.with_suffix(ending) if out is None else Path(out)
    if path.suffix.lower() != ending or path.is_dir():
        raise UserError(
            f"out: got {path}, expected a file that ends in {ending}; give {source.stem}{ending} for example"
        )
    network, config = checkpoint.restore(source)
    from segraft.deploy import onnx  # what exports takes seconds to import

    windows, what = _windows(load(source, "cpu"), Path(model), images)
    found = onnx.export(network, config, path, windows)
    print(
        f"{path}: {path.stat().st_size / 1e6:.2f} MB; differs from the original by {found:.1g} of the largest value at "
        f"most, on {len(windows)} windows of {what}"
    )
    return path


def _windows(model: Model, run: Path, images: Sequence[str | Path]) -> tuple[list[np.ndarray], str]:
    """Windows ``(C, *w)`` as the network sees them, and of what they are."""
    found = {str(path): read_image(path) for path in list_images(images)[:WINDOWS]} if images else _validated(run)
    if found:
        what = "the given images" if images else "validation images"
        return [_window(model, name, image) for name, image in found.items()], what
    size = model.geometry.nearest_input((SIDE[model.geometry.ndim],) * model.geometry.ndim, math.floor)
    noise = np.random.default_rng(0).normal(size=(model.geometry.in_channels, *size)).astype(np.float32)
    return [noise], "noise, for no images are at hand (--images)"


def _validated(run: Path) -> dict[str, np.ndarray]:
    """The first validation images of a run folder; none where it is none, or they cannot be read any more."""
    folder = RunFolder(run)
    if not folder.config.exists():
        return {}
    try:
        data = folder.data()
        samples = open_dataset(data.name, data.root, "val", **data.options)
        return {samples[index].name: samples[index].image for index in range(min(WINDOWS, len(samples)))}
    except UserError:
        return {}


def _window(model: Model, name: str, image: np.ndarray) -> np.ndarray:
    """The middle of an image, or as much of it as the network takes at once, scaled as the model does."""
    try:
        stored = model.channels_first(image)
        scale = model.config.normalisation.scale(stored)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    limit = SIDE[model.geometry.ndim]
    size = model.geometry.nearest_input(tuple(min(side, limit) for side in stored.shape[1:]), math.floor)
    starts = ((side - wanted) // 2 for side, wanted in zip(stored.shape[1:], size, strict=True))
    return scale(crop(stored, tuple(slice(start, start + wanted) for start, wanted in zip(starts, size, strict=True))))
