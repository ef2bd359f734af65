"""A model whose network gives what the image holds, pixel by pixel, so that only the blocks are tested."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from segraft.blocks.cutting import Grid
from segraft.blocks.job import Job
from segraft.blocks.work_folder import WorkFolder
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D_LONG
from segraft.images.channels import Layout
from segraft.images.lazy import Source
from segraft.images.normalisation import Scale
from segraft.model.config import Segmentation
from segraft.types import Geometry

OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D_LONG}
DIM = 4


class Echo:
    """A runner: the first channels are the embedding, the last one the foreground's logits."""

    def __init__(self, ndim: int, stride: int = 1) -> None:
        self.geometry = Geometry(ndim, DIM + 1, DIM, (stride,) * ndim, (0,) * ndim, (stride,) * ndim, (0,) * ndim)

    device, engine, threads = "cpu", "echo", 1

    def use_threads(self, count: int) -> None: ...

    def memory(self, window: tuple[int, ...]) -> float:
        return 0.0

    def peak(self) -> None: ...

    def complexity(self, window: tuple[int, ...]) -> tuple[int, int]:
        return 0, 0

    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.geometry.check_input((1, *window.shape))
        return window[:DIM], window[DIM]


def in_memory(image: np.ndarray) -> Source:
    """An array ``(C, *space)`` as a source."""
    axes = tuple(range(1, image.ndim))
    return Source(image, "an image", Layout(image.shape, 0, axes, tuple(range(len(image)))), image.dtype)


class AsItIs(Scale):
    """A scale that changes nothing, below 0 neither."""

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return image.astype(np.float32)


def cells(seed: int, space: tuple[int, ...], density: float = 0.55, smooth: float = 1.5) -> np.ndarray:
    """Random foreground with pieces of all sizes, and an embedding that varies inside them: ``(DIM + 1, *space)``."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(DIM + 1, *space)), (0, *(smooth,) * len(space)), mode="wrap")
    noise /= noise.std()
    noise[-1] -= np.quantile(noise[-1], 1 - density)
    return noise.astype(np.float32)


def echo(path: str, digest: str, device: str) -> SimpleNamespace:
    """In place of `segraft.blocks.job.opened`."""
    return SimpleNamespace(runner=Echo(int(path)))


def job_of(folder: Path, image: np.ndarray, block: tuple[int, ...], segmentation: Segmentation, **given) -> Job:
    """A job on an array ``(DIM + 1, *space)``."""
    space, settings = image.shape[1:], {"tile": None, "largest": 10**9} | given
    return Job(
        WorkFolder(folder),
        in_memory(image),
        str(len(space)),
        "",
        "cpu",
        Grid(space, block),
        Grid(space, block),
        OFFSETS[len(space)],
        segmentation,
        scale=AsItIs(()),
        **settings,
    )


def whole(image: np.ndarray, segmentation: Segmentation) -> np.ndarray:
    """Labels of the same image at once."""
    from segraft.model import affinities as of_window

    offsets = OFFSETS[image.ndim - 1]
    inside = of_window.probability(image[DIM]) > segmentation.foreground_threshold
    return segmentation.segment(of_window.affinities(image[:DIM], offsets), offsets, inside)
