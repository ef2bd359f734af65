"""Commands on bad input: how they are run, what they must answer, and what spoils the input."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.cli import main

Capture = pytest.CaptureFixture[str]
Spoil = Callable[[Path], Any]
TINY = ("--network", "resunet-tiny", "--width", 2, "--dim", 4)
SHORT = ("--patch", 16, 16, "--batch", 1, "--steps", 1, "--workers", 0, "--device", "cpu")


PROGRESS = re.compile(r"step \d+ of \d+: ")


def call(capfd: Capture, *tokens: object) -> tuple[int, list[str]]:
    """Run one command: its exit code and its lines on stderr, but those of progress."""
    code = main([str(token) for token in tokens])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return code, [line for line in err.splitlines() if not PROGRESS.match(line)]


def refused(capfd: Capture, words: str, *tokens: object) -> None:
    """One line on stderr that says the words, and exit code 2."""
    code, lines = call(capfd, *tokens)
    assert len(lines) == 1, lines
    assert words.lower() in lines[0].lower()
    assert code == 2


def train(root: Path, out: Path) -> tuple[object, ...]:
    """The words of a short training on a folder of pairs."""
    return ("train", "folder", "--root", root, *TINY, *SHORT, "--out", out)


def fill(root: Path, masks: dict[str, np.ndarray]) -> Path:
    """A folder with these masks and images to them."""
    for name, mask in masks.items():
        image = np.random.default_rng(0).integers(100, 4000, mask.shape).astype(np.uint16)
        for folder, array in (("images", image), ("masks", mask)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(root / folder / f"{name}.tif", array)
    return root


def files(folder: Path) -> list[str]:
    """Every file below a folder, by its path from there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def partial(folder: Path) -> list[str]:
    """Files that are no results: hidden or temporary ones."""
    return [name for name in files(folder) if "/." in f"/{name}" or name.endswith((".part", ".tmp", ".new", ".old"))]


def scene(seed: int = 0, shape: tuple[int, int] = (24, 24)) -> tuple[np.ndarray, np.ndarray]:
    """An image of noise, uint16, and labels of six squares, int32."""
    rng = np.random.default_rng(seed)
    labels = np.kron(np.arange(1, 7).reshape(2, 3), np.ones((shape[0] // 2, shape[1] // 3), np.int32))
    return rng.integers(100, 4000, shape).astype(np.uint16), labels.astype(np.int32)


def cut(path: Path, keep: float = 0.6) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def truncated(path: Path) -> None:
    """A tif of which the end is missing."""
    tifffile.imwrite(path, scene()[0])
    cut(path)


def palette(path: Path, labels: np.ndarray) -> None:
    """A png whose pixels are indices into a palette of colours in an order of its own."""
    picture = Image.fromarray(labels.astype(np.uint8), "L").convert("P")
    picture.putdata(labels.ravel().tolist())
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    picture.save(path)
