"""A made-up ONNX Runtime Web, and the real one where it was fetched before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from segraft.browser.runtime import LIBRARY, MAGIC, WASM

FAKE = {LIBRARY: b"export const env = {};", WASM: MAGIC + b"\1\0\0\0"}


def write_runtime(folder: Path, files: Mapping[str, bytes] = FAKE) -> Path:
    """Write the files into a folder, which is made, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
