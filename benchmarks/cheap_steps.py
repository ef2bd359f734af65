"""Time a training step alone, distilled with cached teacher outputs, and distilled with the teacher itself, in turns.

    python benchmarks/cheap_steps.py [--width 16] [--teacher resunet] [--size 192] [--batch 4] [--rounds 5]

A step is what the student costs once its batch is at hand: forward, loss terms, backward and the optimiser. Without
``--width`` the teacher is the full network. Weights are fresh and images noise: only the time depends on the sizes. The
three take turns, and ratios compare medians of the same run, so that a busy machine slows all of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from graph_losses import grid_labels
from torch import Tensor

from segraft.graphs.offsets import OFFSETS
from segraft.losses import DISTILLERS, weighted_sum
from segraft.losses.distiller import Setup
from segraft.networks import create_network
from segraft.networks.contract import channels_last
from segraft.settings import DistillSettings
from segraft.tensors import Output
from segraft.training.module import TrainingModule, teacher_output
from segraft.training.pool import Pool

OBJECTS = 36
"""Instances in each patch, as in a field of nuclei."""
ALONE, CACHED, WHOLE = "alone", "cached teacher", "teacher itself"


class Steps:
    """The three kinds of steps on one batch, by name, each with its own student."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(0)
        patch, self.batch = (arguments.size, arguments.size), arguments.batch
        filters = {} if arguments.width is None else {"width": arguments.width}
        self.teacher = channels_last(create_network(arguments.teacher, **filters)).eval().requires_grad_(False)
        self.image = torch.randn(self.batch, 1, *patch).contiguous(memory_format=torch.channels_last)
        self.labels = grid_labels(arguments.size, OBJECTS)[:1].expand(self.batch, -1, -1).contiguous()
        common = {"dataset": "synthetic", "out": Path("unused"), "teacher": Path("unused"), "batch": self.batch}
        common |= {"patch": patch, "background": "object", "network": arguments.student, "seed": 0}
        methods = {ALONE: "none", CACHED: arguments.method, WHOLE: arguments.method}
        settings = {name: DistillSettings(method=method, **common) for name, method in methods.items()}
        self.modules = {name: self._module(each) for name, each in settings.items()}
        self.optimizers = {name: module.configure_optimizers()["optimizer"] for name, module in self.modules.items()}
        kept = teacher_output(self.teacher, self.image, patch)
        half = (kept.embedding.half(), kept.foreground.half(), tuple(stage.half() for stage in kept.stages))
        self.kept = Output(*half)

    def _module(self, settings: DistillSettings) -> TrainingModule:
        """A student that trains with these settings, as a run makes it."""
        torch.manual_seed(settings.seed)
        student, offsets = channels_last(create_network(settings.network)), OFFSETS["2d"]
        distiller = None
        if settings.method != "none":
            setup = Setup(student, self.teacher, settings.patch, offsets, self.batch)
            distiller = DISTILLERS[settings.method].from_setup(setup)
        return TrainingModule(student, offsets, settings, Pool((), 1, 0), distiller, self.teacher)

    def take(self, name: str) -> float:
        """Seconds of one step."""
        module, optimizer = self.modules[name], self.optimizers[name]
        start = time.perf_counter()
        optimizer.zero_grad()
        self._loss(name, module).backward()
        optimizer.step()
        return time.perf_counter() - start

    def _loss(self, name: str, module: TrainingModule) -> Tensor:
        terms = module.loss_terms(self.image, self.labels, self.kept if name == CACHED else None)
        return weighted_sum(terms, module.weights)


def in_turns(names: tuple[str, ...], take: Callable[[str], float], rounds: int) -> dict[str, float]:
    """Median seconds of each, after a first one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds + 1):
        for name in names:
            times[name].append(take(name))
    return {name: statistics.median(each[1:]) for name, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--teacher", default="resunet")
    parser.add_argument("--width", type=int, help="of the teacher; the full network without it")
    parser.add_argument("--student", default="resunet-tiny")
    parser.add_argument("--method", default="graph", choices=DISTILLERS)
    parser.add_argument("--size", type=int, default=192, help="side of the patches in pixels")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="of PyTorch; one is the fairest on a busy machine")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    steps = Steps(arguments)
    seconds = in_turns((ALONE, CACHED, WHOLE), steps.take, arguments.rounds)
    teacher = f"{arguments.teacher}{'' if arguments.width is None else f' of width {arguments.width}'}"
    sizes = " × ".join(map(str, (arguments.batch, arguments.size, arguments.size)))
    print(f"{arguments.student} from {teacher}, {arguments.method}, {sizes}, {torch.get_num_threads()} threads")
    for name, median in seconds.items():
        print(f"{name:16}{median:8.3f} s{median / seconds[ALONE]:8.2f} × alone")
    print(f"with cached teacher the step is {seconds[WHOLE] / seconds[CACHED]:.1f} times as fast as with itself")
    if arguments.json:
        arguments.json.write_text(json.dumps(seconds, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
