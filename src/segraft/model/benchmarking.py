"""What a model costs: parameters, multiply-adds, memory, and the time from array to labels, stage by stage.

Times are those of ``Model.predict``, with a clock around its runner: what comes before is preparation, what comes after
(affinities, segmentation) is post-processing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.model.config import ModelConfig, NetworkConfig
from segraft.model.hardware import resident_peak
from segraft.model.model import Model, load
from segraft.model.model_file import locate, shipped
from segraft.model.runner import Runner
from segraft.networks import NETWORKS
from segraft.types import Space

SIZES: dict[int, tuple[int, ...]] = {2: (520, 696), 3: (64, 192, 192)}
"""Generated images for the clock, by dimension: as large as those of BBBC039; a small volume."""
SCENES: dict[int, tuple[str, dict[str, Any]]] = {
    2: ("synthetic", {"density": 0.2, "occlusion": 0.0}),
    3: ("neurites", {}),
}
"""Data set and options: about as full of nuclei as images of BBBC039; neurites."""
Results = tuple[np.ndarray, np.ndarray]
"""Embedding ``(D, *v)`` and foreground logits ``(*v)``, as a runner returns them."""
STAGES = ("preparation", "network", "postprocessing")
ALONE = "import sys; from segraft.model.benchmarking import predict_alone; predict_alone(*sys.argv[1:])"


def measure(
    subject: str | Path,
    size: Sequence[int] | None = None,
    *,
    image: np.ndarray | None = None,
    repeats: int = 5,
    warmup: int = 1,
    threads: int | None = None,
    device: str = "auto",
    memory: bool = True,
    times: bool = True,
) -> dict[str, Any]:
    """Measure a run, a model file or a network by name.

    A network by name has fresh weights. It runs all the same, but to time the post-processing its output is replaced by
    the ideal one for the image: what it makes itself is noise, which takes longer to segment than any image.

    Parameters
    ----------
    size : ``(*space)`` of the generated image to segment, nuclei or neurites; by default ``SIZES``
    image : an image to segment instead
    repeats, warmup : predictions that are timed, and that are not
    threads : of the CPU; all by default
    memory : whether to measure it, too, which takes a second process and some seconds
    times : whether to segment the image at all; without, nothing is run, and what comes of that is None

    Returns
    -------
    ``parameters``, ``macs``; ``file``, its size on disk in bytes (None for a network by name); seconds, medians over
    the repeats: ``preparation`` (normalisation), ``network``,
    ``postprocessing`` and ``total``; ``memory`` in bytes (see ``peak_memory``; None if not measured); ``objects``
    found; ``trained``, ``generated`` (the image), ``size``, ``threads``, ``device``,
    ``engine`` (the library that runs the network, and in which numbers).

    Raises ``UserError`` when the subject is neither a model nor a network's name, or a number is out of range.
    """
    if repeats < 1 or warmup < 0 or min(size or (1,)) < 1 or (threads is not None and threads < 1):
        raise UserError(
            f"got size {size}, repeats {repeats}, warmup {warmup}, threads {threads}; "
            "expected positive numbers, warmup may be 0"
        )
    model, trained = open_subject(subject, device)
    geometry, generated = model.geometry, image is None
    ndim = geometry.ndim
    size = tuple(size or SIZES[ndim]) if image is None else image.shape[-ndim:]
    if len(size) != ndim:
        raise UserError(f"size: got {size} for a network in {ndim} dimensions, expected {ndim} numbers")
    image = scene(size, geometry.in_channels) if image is None else image
    with _threads(threads, model.runner) as used:
        runs = [timed(model, image, trained) for _ in range(warmup + repeats)][warmup:] if times else []
    parameters, macs = model.runner.complexity(geometry.input_size(size))
    return {
        "parameters": parameters,
        "macs": macs,
        "file": locate(subject).stat().st_size if trained else None,
        **{stage: statistics.median(run[stage] for run in runs) if runs else None for stage in (*STAGES, "total")},
        "memory": peak_memory(subject, size, used, model.runner.device) if memory and times else None,
        "objects": runs[-1]["objects"] if runs else None,
        "trained": trained,
        "generated": generated,
        "size": size,
        "threads": used,
        "device": model.runner.device,
        "engine": model.runner.engine,
    }


def open_subject(subject: str | Path, device: str = "auto") -> tuple[Model, bool]:
    """Return the model of a run folder or file and True, or a network by name with fresh weights and False.

    Raises ``UserError`` for what is neither.
    """
    if Path(subject).exists() or str(subject) in shipped():
        return load(subject, device), True
    name = str(subject)
    if name not in NETWORKS:
        raise UserError(
            f"{subject} is neither a run folder, nor a model file, nor a network; known networks: {', '.join(NETWORKS)}"
        )
    from segraft.model.torch_runner import fresh

    runner = fresh(name, device=device)
    return Model(runner, ModelConfig.usual(NetworkConfig(name), runner.geometry.ndim)), False


def scene(size: tuple[int, ...], channels: int = 1) -> np.ndarray:
    """A generated image ``(channels, *size)`` of nuclei, or volume of neurites."""
    return _scene(size)[0].repeat(channels, 0)


@cache
def _scene(size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    name, options = SCENES[len(size)]
    sample = open_dataset(name, None, "test", count=1, size=size, **options)[0]
    return sample.image, sample.labels


class Clock:
    """A runner around another one that adds up its seconds; ``ideal`` replaces its results, off the clock."""

    def __init__(self, runner: Runner, ideal: Callable[[Space, int], Results] | None) -> None:
        self.runner, self.ideal = runner, ideal
        self.geometry, self.device, self.engine = runner.geometry, runner.device, runner.engine
        self.memory, self.complexity, self.peak = runner.memory, runner.complexity, runner.peak
        self.threads, self.use_threads = runner.threads, runner.use_threads
        self.first: float | None = None
        self.network = self.unmeasured = 0.0

    def run(self, window: np.ndarray) -> Results:
        """Run the other runner; see `Runner`."""
        begin = time.perf_counter()
        self.first = begin if self.first is None else self.first
        embedding, foreground = self.runner.run(window)
        end = time.perf_counter()
        self.network += end - begin
        if self.ideal is not None:
            embedding, foreground = self.ideal(foreground.shape, len(embedding))
        self.unmeasured += time.perf_counter() - end
        return embedding, foreground


def timed(model: Model, image: np.ndarray, trained: bool) -> dict[str, float]:
    """Seconds of each of the ``STAGES`` of one prediction, their ``total``, and the number of ``objects`` found.

    The results of a network that is not ``trained`` are replaced by the ideal ones.
    """
    clock = Clock(model.runner, None if trained else ideal_results)
    start = time.perf_counter()
    labels = Model(clock, model.config).predict(image)
    end = time.perf_counter()
    assert clock.first is not None  # predict runs the network at least once
    preparation = clock.first - start
    total = end - start - clock.unmeasured
    postprocessing = total - preparation - clock.network
    return {
        "preparation": preparation,
        "network": clock.network,
        "postprocessing": postprocessing,
        "total": total,
        "objects": int(labels.max()),
    }


def ideal_results(space: Space, dim: int) -> Results:
    """What a perfect network would return for the generated image of this size: a direction per instance, noise."""
    labels = _scene(space)[1]
    random = np.random.default_rng(1)
    directions = random.standard_normal((dim, int(labels.max()) + 1), np.float32)
    embedding = directions[:, labels] + 0.3 * random.standard_normal((dim, *space), np.float32)
    return embedding, np.where(labels > 0, np.float32(4), np.float32(-4))


@contextmanager
def _threads(count: int | None, runner: Runner) -> Iterator[int]:
    """Let a runner use this many threads, and give the number it uses."""
    before = runner.threads
    runner.use_threads(count or before)
    try:
        yield runner.threads
    finally:
        runner.use_threads(before)


def peak_memory(subject: str | Path, size: tuple[int, ...], threads: int, device: str) -> int | None:
    """Most memory in bytes that a prediction needs; None where the system does not tell.

    On the CPU that of a fresh process which loads the model, segments one image and ends, libraries and all: a
    process that did other things before would hide or add to what the prediction takes. On CUDA, memory of the device.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = [str(subject), str(threads), device, *map(str, size)]
    child = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    last = child.stdout.split()[-1:]
    return int(last[0]) if child.returncode == 0 and last and last[0].isdigit() else None


def predict_alone(subject: str, threads: str, device: str, *size: str) -> None:
    """Segment one image and print the peak memory of this process (or of its CUDA device) in bytes."""
    model, trained = open_subject(subject, device)
    with _threads(int(threads), model.runner):
        timed(model, scene(tuple(map(int, size)), model.geometry.in_channels), trained)
    print(model.runner.peak() if model.runner.device.startswith("cuda") else resident_peak())
