"""Export a model to run without PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from segraft.commands.export_images import Shown, shown
from segraft.data.choice import DataChoice
from segraft.deploy.resource_description import Imprint
from segraft.errors import UserError, choose
from segraft.model import model_file
from segraft.model.model import load

MEASURED, SCORED = 32, 50
"""Windows that say how large activations become, and images that are segmented, of an export in 8 bits."""


@dataclass(frozen=True)
class Order:
    """What is to be exported, and where to."""

    source: Path
    out: Path
    images: Shown
    force: bool
    imprint: Imprint


@dataclass(frozen=True)
class Kind:
    """What can be exported to: the end of the file's name, and what writes it and says how it compares."""

    ending: str
    write: Callable[[Order], str]

    @property
    def suffix(self) -> str:
        """The last part of it, which any file needs."""
        return f".{self.ending.rpartition('.')[2]}"


def export(
    model: str | Path,
    *,
    to: str = "onnx",
    out: str | Path | None = None,
    images: Sequence[str | Path] = (),
    dataset: str | None = None,
    root: str | Path | None = None,
    split: str = "val",
    options: dict[str, Any] | None = None,
    force: bool = False,
    authors: Sequence[str] = (),
    licence: str | None = None,
) -> Path:
    """Export a model to one file that runs without PyTorch, and return its path.

    An ONNX file holds the network, for images of any size, and all that prediction needs to know; `load`, ``predict``,
    ``tune``, ``benchmark``, ``report`` and ``info`` take it as they take the model itself. Before anything is kept, it
    is run beside the original on windows of images, and refused where they differ. In int8 they do: both segment up to
    50 images, and it is refused where the score (F1, of dense tissue VOI) is more than 0.01 worse.

    A bioimage.io package is for other programs: its network gives affinities and foreground probability, and its README
    says how they become labels.

    Parameters
    ----------
    model : run folder or model file
    to : onnx, which ONNX Runtime runs; openvino, the same run by OpenVINO; int8, in 8 bits, run by OpenVINO;
        bioimageio, a package of bioimage.io
    out : the file; by default beside the model
    images : files or folders of images to compare on, and to measure activations on for int8; by default validation
        images of the run, else noise, which does not do for int8
    dataset : in place of images a data set, whose labels tell what int8 costs
    root : folder of the data set
    split : train, val or test; test is for the final score
    options : of the data set's reader, by name
    force : keep an export in int8 whose score is worse
    authors : names of those who made the model, for a package
    licence : under which a package may be used: an identifier of spdx.org/licenses, such as CC-BY-4.0

    Raises
    ------
    UserError : there is no model, what it takes to export is not installed, the export differs from the original, or
        the file cannot be written
    """
    kind = choose("what to export to", to, KINDS)
    source = model_file.locate(model)
    path = source.with_suffix(kind.ending) if out is None else Path(out)
    if path.suffix.lower() != kind.suffix or path.is_dir():
        raise UserError(
            f"out: got {path}, expected a file that ends in {kind.suffix}; give {source.stem}{kind.ending} for example"
        )
    if force and kind.write is not _in_int8:
        raise UserError(f"force: got it for {to}, expected it for int8 alone, whose score may be worse; omit it")
    imprint = Imprint(tuple(authors), licence)
    if kind.write is not _packaged and imprint != Imprint():
        raise UserError(f"authors and licence: got them for {to}, which states none, expected bioimageio; omit them")
    from segraft.model import checkpoint  # whose lack of PyTorch is told when it is called

    checkpoint.read(source)
    looked_at = shown(Path(model), images, DataChoice(dataset, root, split, options))
    told = kind.write(Order(source, path, looked_at, force, imprint))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB; {told}")
    return path


def _in_float32(order: Order, runtime: str) -> str:
    """Export to ONNX as it is."""
    from segraft.deploy import onnx  # what exports takes seconds to import
    from segraft.model import checkpoint

    windows = order.images.windows(load(order.source, "cpu"), onnx.WINDOWS)
    found = onnx.export(*checkpoint.restore(order.source), order.out, windows, runtime)
    return _differs(found, len(windows), order)


def _in_int8(order: Order) -> str:
    """Export to ONNX in 8 bits."""
    from segraft.deploy import int8, onnx

    if not order.images.samples:
        raise UserError(
            "int8: got no images, expected some like those to be segmented, on which activations are measured; "
            "give --images, or a run folder, or --dataset, whose labels tell what it costs"
        )
    windows = order.images.windows(load(order.source, "cpu"), MEASURED)
    largest, found = int8.export(order.source, order.out, windows, order.images.some(SCORED), order.force)
    return f"{_differs(largest, min(len(windows), onnx.WINDOWS), order)}\n{found}"


def _packaged(order: Order) -> str:
    """Export to a package of bioimage.io."""
    from segraft.commands.packaging import package
    from segraft.deploy import onnx
    from segraft.model import checkpoint

    some = order.images.some(onnx.WINDOWS)
    images = {some[index].name: some[index].image for index in range(len(some))}
    network, _ = checkpoint.restore(order.source)
    found = package(network, load(order.source, "cpu"), order.out, images, order.imprint)
    return _differs(found, len(images), order)


def _differs(found: float, count: int, order: Order) -> str:
    told = f"{count} windows of {order.images.told}"
    return f"differs from the original by {found:.1g} of the largest value at most, on {told}"


KINDS = {
    "onnx": Kind(".onnx", partial(_in_float32, runtime="onnxruntime")),
    "openvino": Kind(".openvino.onnx", partial(_in_float32, runtime="openvino")),
    "int8": Kind(".int8.onnx", _in_int8),
    "bioimageio": Kind(".zip", _packaged),
}
"""What can be exported to, by name."""
