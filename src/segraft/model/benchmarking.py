"""What a model costs: parameters, multiply-adds, memory, and the time from array to labels, stage by stage.

Times are those of ``Model.predict``, taken by hooks around its network: what comes before is preparation, what comes
after (affinities, segmentation) is post-processing.
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
import torch

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.model.model import Model, load
from segraft.model.torch_runner import find_device
from segraft.networks import NETWORKS, complexity, create_network
from segraft.tensors import Output

SIZES: dict[int, tuple[int, ...]] = {2: (520, 696), 3: (64, 192, 192)}
"""Generated images for the clock, by dimension: as large as those of BBBC039; a small volume."""
SCENES: dict[int, tuple[str, dict[str, Any]]] = {
    2: ("synthetic", {"density": 0.2, "occlusion": 0.0}),
    3: ("neurites", {}),
}
"""Data set and options: about as full of nuclei as images of BBBC039; neurites."""
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

    Returns
    -------
    ``parameters``, ``macs``; seconds, medians over the repeats: ``preparation`` (normalisation), ``network``,
    ``postprocessing`` and ``total``; ``memory`` in bytes (see ``peak_memory``; None if not measured); ``objects``
    found; ``trained``, ``generated`` (the image), ``size``, ``threads``, ``device``.

    Raises ``UserError`` when the subject is neither a model nor a network's name, or a number is out of range.
    """
    if repeats < 1 or warmup < 0 or min(size or (1,)) < 1 or (threads is not None and threads < 1):
        raise UserError(
            f"size {size}, repeats {repeats}, warmup {warmup}, threads {threads} came; "
            "wanted positive numbers, warmup may be 0"
        )
    model, trained = open_subject(subject, device)
    ndim, given = model.network.ndim, image is not None
    size = tuple(size or SIZES[ndim]) if image is None else image.shape[-ndim:]
    if len(size) != ndim:
        raise UserError(f"size {size} came for a network in {ndim} dimensions; wanted {ndim} numbers")
    image = scene(size, model.network.in_channels) if image is None else image
    with _threads(threads) as used:
        runs = [_timed(model, image, trained) for _ in range(warmup + repeats)][warmup:]
    parameters, macs = complexity(model.network, (1, model.network.in_channels, *model.network.input_size(size)))
    return {
        "parameters": parameters,
        "macs": macs,
        **{stage: statistics.median(run[stage] for run in runs) for stage in (*STAGES, "total")},
        "memory": peak_memory(subject, size, used, model.device) if memory else None,
        "objects": runs[-1]["objects"],
        "trained": trained,
        "generated": not given,
        "size": size,
        "threads": used,
        "device": str(model.device),
    }


def open_subject(subject: str | Path, device: str = "auto") -> tuple[Model, bool]:
    """Return the model of a run folder or file and True, or a network by name with fresh weights and False."""
    if Path(subject).exists():
        return load(subject, device), True
    if str(subject) not in NETWORKS:
        raise UserError(
            f"{subject} is neither a run folder, nor a model file, nor a network; known networks: {', '.join(NETWORKS)}"
        )
    network = create_network(str(subject))
    if network.ndim == 2:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = network.to(find_device(device))
    return Model(network.eval().requires_grad_(False), {"network": {"name": str(subject)}}), False


def scene(size: tuple[int, ...], channels: int = 1) -> np.ndarray:
    """A generated image ``(channels, *size)`` of nuclei, or volume of neurites."""
    return _scene(size)[0].repeat(channels, 0)


@cache
def _scene(size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    name, options = SCENES[len(size)]
    sample = open_dataset(name, None, "test", count=1, size=size, **options)[0]
    return sample.image, sample.labels


class Clock:
    """Hooks around a network that add up its seconds; ``ideal`` replaces its outputs, off the clock."""

    def __init__(self, device: torch.device, ideal: Callable[[Output], Output] | None) -> None:
        self.device, self.ideal = device, ideal
        self.first: float | None = None
        self.network = self.unmeasured = self._begin = 0.0

    def before(self, network: torch.nn.Module, inputs: Any) -> None:
        """Start; a forward pre-hook."""
        self._begin = self.now()
        self.first = self._begin if self.first is None else self.first

    def after(self, network: torch.nn.Module, inputs: Any, output: Output) -> Output:
        """Stop; a forward hook."""
        end = self.now()
        self.network += end - self._begin
        output = output if self.ideal is None else self.ideal(output)
        self.unmeasured += self.now() - end
        return output

    def now(self) -> float:
        """Seconds, after the device has done what it was given."""
        if self.device.type in ("cuda", "mps"):
            getattr(torch, self.device.type).synchronize()
        return time.perf_counter()


def _timed(model: Model, image: np.ndarray, trained: bool) -> dict[str, Any]:
    """Seconds of each stage of one prediction."""
    clock = Clock(model.device, None if trained else ideal_output)
    hooks = (
        model.network.register_forward_pre_hook(clock.before),
        model.network.register_forward_hook(clock.after),
    )
    try:
        start = clock.now()
        labels = model.predict(image)
        end = clock.now()
    finally:
        for hook in hooks:
            hook.remove()
    assert clock.first is not None  # predict runs the network at least once
    preparation = clock.first - start
    total = end - start - clock.unmeasured
    postprocessing = total - preparation - clock.network
    objects = int(labels.max())
    return {"preparation": preparation, "network": clock.network, "postprocessing": postprocessing,
            "total": total, "objects": objects}  # fmt: skip


def ideal_output(output: Output) -> Output:
    """What a perfect network would return for the generated image of this shape: a direction per instance, noise."""
    _, dim, *space = output.embedding.shape
    labels = torch.from_numpy(_scene(tuple(space))[1]).long()
    random = torch.Generator().manual_seed(0)
    directions = torch.randn(int(labels.max()) + 1, dim, generator=random)
    embedding = directions[labels].movedim(-1, 0) + 0.3 * torch.randn(dim, *space, generator=random)
    foreground = torch.where(labels > 0, 4.0, -4.0)[None]
    return Output(
        embedding.expand(output.embedding.shape).to(output.embedding),
        foreground.expand(output.foreground.shape).to(output.foreground),
    )


@contextmanager
def _threads(count: int | None) -> Iterator[int]:
    """Let torch use this many threads, and give the number it uses."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


def peak_memory(subject: str | Path, size: tuple[int, ...], threads: int, device: torch.device) -> int | None:
    """Most memory in bytes that a prediction needs; None where the system does not tell.

    On the CPU that of a fresh process which loads the model, segments one image and ends, libraries and all: a
    process that did other things before would hide or add to what the prediction takes. On CUDA, memory of the device.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    arguments = [str(subject), str(threads), str(device), *map(str, size)]
    child = subprocess.run(
        [sys.executable, "-c", ALONE, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    last = child.stdout.split()[-1:]
    return int(last[0]) if child.returncode == 0 and last and last[0].isdigit() else None


def predict_alone(subject: str, threads: str, device: str, *size: str) -> None:
    """Segment one image and print the peak memory of this process (or of its CUDA device) in bytes."""
    torch.set_num_threads(int(threads))
    model, trained = open_subject(subject, device)
    _timed(model, scene(tuple(map(int, size)), model.network.in_channels), trained)
    print(torch.cuda.max_memory_allocated() if model.device.type == "cuda" else _resident_peak())


def _resident_peak() -> int | None:
    """Highest resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell, on Linux, the parent's if that is larger
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
