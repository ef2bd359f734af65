"""Write a page that segments images in the browser."""

from __future__ import annotations

from pathlib import Path

from segraft.browser.page import write_page
from segraft.browser.runtime import runtime_files
from segraft.model import model_file


def web(out: str | Path, *, model: str | Path = "nuclei", runtime: str | Path | None = None) -> Path:
    """Write a page that segments images in the browser, and return its folder.

    The folder works from any file server, without network: images do not leave the reader's computer. It holds the
    model, two images to try and ONNX Runtime Web, which npm fetches once unless ``runtime`` names it.

    Parameters
    ----------
    out : folder to make; an earlier page is replaced
    model : ONNX file of segraft export, or the name of a model that comes with the package; of grey images
    runtime : npm package onnxruntime-web, as a folder or .tgz

    Raises
    ------
    UserError : a model that the page cannot run, no runtime, a folder that holds other files or cannot be written
    """
    network = model_file.locate(model)
    page = write_page(Path(out), network, lambda: runtime_files(None if runtime is None else Path(runtime)))
    size = sum(path.stat().st_size for path in page.rglob("*") if path.is_file()) / 1e6
    print(f"{page}: {size:.1f} MB; to look at it, run: python -m http.server --directory {out}")
    return page
