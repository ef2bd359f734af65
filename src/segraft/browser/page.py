"""Writing the page: one folder with the site, a network, the runtime and two images to try."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np

from segraft.browser.runtime import SHA256
from segraft.data.shipped import NUCLEI
from segraft.errors import UserError
from segraft.files import replacing, some, unwritable
from segraft.model import onnx_file
from segraft.model.config import ModelConfig
from segraft.model.onnx_file import Known
from segraft.model.onnx_runner import OnnxRunner

SITE = Path(__file__).with_name("site")
"""What is the same in every page."""
RUNTIME = "onnxruntime"
"""Folder of the runtime in the page."""
SAMPLES = {
    "samples/nuclei.png": NUCLEI / "test/images/IXMtest_A02_s1_w1051DAA7C-7042-435F-99F0.png",
    "samples/crowded.png": NUCLEI / "test/images/IXMtest_F12_s5_w17F3E9DFC-6705-40A9-B5FE.png",
    "samples/SOURCE.md": NUCLEI / "SOURCE.md",
}
"""Images to try, and where they come from."""


def write_page(out: Path, network: Path, runtime: Callable[[], Mapping[str, bytes]]) -> Path:
    """Write the page of an exported network, completely or not at all, in place of an earlier page; return ``out``.

    ``runtime`` gives the files of ONNX Runtime Web, once all else is sure. Raises ``UserError`` for a network that the
    page cannot run, for a folder that holds anything else, and where the folder cannot be written.
    """
    config, known = _fitting(network)
    own = {path.relative_to(SITE).as_posix(): path for path in sorted(SITE.rglob("*")) if path.is_file()}
    copied = {**own, **SAMPLES, "model.onnx": network}
    written = {"model.json": _described(network, config, known).encode()}
    out = out.absolute()
    _check_free(out, {*copied, *written, *(f"{RUNTIME}/{name}" for name in SHA256)})
    written |= {f"{RUNTIME}/{name}": data for name, data in runtime().items()}
    with unwritable(out), _earlier(out) as put_aside, replacing(out) as temporary:
        for name, path in copied.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, temporary / name)
        for name, data in written.items():
            (temporary / name).write_bytes(data)
        put_aside()
    return out


def _fitting(path: Path) -> tuple[ModelConfig, Known]:
    """What an exported network says of itself; ``UserError`` where the page cannot run it, or nobody can."""
    if not onnx_file.is_onnx(path):
        raise UserError(f"{path}: got no ONNX file, expected one that segraft exported; run: segraft export {path}")
    config, known = onnx_file.read(path)
    geometry, segmentation = known.geometry, config.segmentation
    reasons = {
        f"{geometry.ndim} axes of space, expected images (2)": geometry.ndim != 2,
        f"{geometry.in_channels} channels, expected grey images (1)": geometry.in_channels != 1,
        f"numbers in {known.precision}, expected float32, as segraft export --to onnx": known.precision != "float32",
        "segments that fill everything, expected objects on a background": segmentation.fill,
        f"the segmenter {segmentation.segmenter}, expected mutex": segmentation.segmenter != "mutex",
    }
    for reason, applies in reasons.items():
        if applies:
            raise UserError(f"{path}: got {reason}; the page cannot run this model, use segraft predict")
    for found in OnnxRunner(path, known, "cpu").run(np.zeros((1, *geometry.minimum), np.float32)):
        if not np.isfinite(found).all():
            raise UserError(f"{path}: the network gives numbers that are not finite; it is damaged: export it again")
    return config, known


def _described(path: Path, config: ModelConfig, known: Known) -> str:
    """What the page knows of the network, as JSON."""
    trained = f", trained on {config.training['dataset']}" if config.training.get("dataset") else ""
    about = (
        f"Model {path.stem}: {config.network.name}, {known.parameters:,} parameters, "
        f"{path.stat().st_size / 1e6:.1f} MB{trained}. Made with segraft; the network is run by ONNX Runtime Web."
    )
    values = {"about": about, "config": config.to_dict(), "geometry": asdict(known.geometry)}
    return json.dumps(values, indent=1, sort_keys=True)


def _check_free(out: Path, names: set[str]) -> None:
    """Raise ``UserError`` where something is in the way that is not of an earlier page."""
    if out.is_dir():
        others = [path for path in sorted(out.rglob("*")) if not path.is_dir() and _name(path, out) not in names]
        if not others:
            return
        raise UserError(
            f"{out} holds other files ({some([_name(path, out) for path in others])}), expected a new folder or an "
            "earlier page; choose another"
        )
    if out.exists():
        raise UserError(f"{out} is a file, expected a new folder or an earlier page; choose another")


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


@contextmanager
def _earlier(folder: Path) -> Iterator[Callable[[], None]]:
    """Yield what puts an earlier folder aside; it comes back on any error, and is deleted at the end otherwise."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        yield lambda: os.replace(folder, aside) if folder.exists() else None
    except BaseException:
        if aside.exists():
            os.replace(aside, folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)
