"""Time the graph losses against a plain transcription of the equations, forward and backward, in one run.

    python benchmarks/graph_losses.py [--json FILE] [--threads N]

The paper's setting: D 16, 544 × 544 pixels, batch 2, bank of 32 images of which 12 are drawn. About two minutes and
2 GB on two cores. Ratios compare medians of the same run, so that a busy machine slows both sides.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import transcription
from torch import Tensor

from segraft.graphs.graph import Graph
from segraft.graphs.instances import batch_nodes
from segraft.graphs.memory_bank import INSTANCES, PIXELS, MemoryBank
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses.graph_relation import GraphRelationLoss
from segraft.losses.graph_terms import inter_affinity, inter_edge, intra_edge, intra_node

DIM, SIZE, BATCH, BANK, SAMPLES, POOL = 16, 544, 2, 32, 12, 7
FEW, MANY = 16, 400
"""Instances per image: as leaves in the paper's 544 × 544 images, and a dense field of cells."""


def grid_labels(size: int, instances: int) -> Tensor:
    """Square instances on background, ``(BATCH, size, size)``."""
    across = round(instances**0.5)
    cell = torch.arange(size) * across // size
    labels = cell[:, None] * across + cell + 1
    inside = (torch.arange(size) * across % size) > size // 5
    return torch.where(inside[:, None] & inside, labels, 0).expand(BATCH, -1, -1).contiguous()


class Case:
    """A batch, and twelve remembered images both ways."""

    def __init__(self, size: int, instances: int, bank: int = BANK, samples: int = SAMPLES) -> None:
        torch.manual_seed(0)
        self.samples = samples
        self.labels = grid_labels(size, instances)
        self.student = torch.randn(BATCH, DIM, size, size, requires_grad=True)
        self.teacher = torch.randn(BATCH, DIM, size, size)
        self.bank = MemoryBank(bank, DIM)
        self.memory: list[transcription.Remembered] = []
        for _ in range(0, min(samples, 12), BATCH):
            maps = torch.randn(BATCH, DIM, size, size)
            self.bank.push(maps, self.labels)
            nodes, _ = batch_nodes(maps, self.labels)
            self.memory += [transcription.Remembered(*pair) for pair in zip(maps, nodes, strict=True)]
        if bank > int(self.bank.filled):  # any Gram will do to fill the rest: only the time depends on it
            self.bank.push_grams(self.bank.grams[:1].expand(bank - int(self.bank.filled), -1, -1, -1).clone())

    def all_terms(self) -> dict[str, Tensor]:
        loss = GraphRelationLoss(OFFSETS_2D, self.bank, self.samples)
        return loss(self.student, self.teacher, self.labels)

    def inter_terms(self) -> dict[str, Tensor]:
        drawn = self.bank.sample(self.samples)
        pair = [Graph.of(embedding, self.labels, offsets=()) for embedding in (self.student, self.teacher)]
        return {
            "inter_edge": inter_edge(*pair, drawn[:, INSTANCES]),
            "inter_affinity": inter_affinity(*pair, drawn[:, PIXELS]),
        }

    def instance_terms(self) -> dict[str, Tensor]:
        embeddings = self.student, self.teacher  # in place of unit vectors, of which these terms take nothing
        pair = [Graph.of(each, self.labels, offsets=(), units=each) for each in embeddings]
        return {
            "intra_node": intra_node(*pair),
            "intra_edge": intra_edge(*pair),
            "inter_edge": inter_edge(*pair, self.bank.sample(self.samples)[:, INSTANCES]),
        }

    def plain_terms(self, pool: int = POOL) -> dict[str, Tensor]:
        return transcription.terms(self.student, self.teacher, self.labels, self.memory, OFFSETS_2D, pool)

    def plain_inter_terms(self, pool: int = POOL) -> dict[str, Tensor]:
        pixels = [transcription.pooled_pixels(image.embedding, pool) for image in self.memory]
        nodes = [
            tuple(transcription.instance_nodes(e, labels) for e in pair)
            for *pair, labels in zip(self.student, self.teacher, self.labels, strict=True)
        ]
        edge = [transcription.inter_edge(*pair, self.memory) for pair in nodes]
        affinity = [
            transcription.inter_affinity(*pair, pixels, pool) for pair in zip(self.student, self.teacher, strict=True)
        ]
        return {"inter_edge": torch.stack(edge).mean(), "inter_affinity": torch.stack(affinity).mean()}

    def plain_instance_terms(self) -> dict[str, Tensor]:
        values = []
        for s, t, labels in zip(self.student, self.teacher, self.labels, strict=True):
            nodes = transcription.instance_nodes(s, labels), transcription.instance_nodes(t, labels)
            inter = transcription.inter_edge(*nodes, self.memory)
            values.append((transcription.intra_node(*nodes), transcription.intra_edge(*nodes), inter))
        names = "intra_node", "intra_edge", "inter_edge"
        return {n: torch.stack(v).mean() for n, v in zip(names, zip(*values, strict=True), strict=True)}

    def seconds(self, terms: Callable[[], dict[str, Tensor]], repeats: int) -> float:
        """Median time of a forward and a backward pass."""
        times = []
        for _ in range(repeats):
            self.student.grad = None
            start = time.perf_counter()
            torch.stack(list(terms().values())).sum().backward()
            times.append(time.perf_counter() - start)
        return statistics.median(times)


def compare(
    case: Case, plain: Callable[[], dict[str, Tensor]], ours: Callable[[], dict[str, Tensor]]
) -> dict[str, float]:
    """Seconds of both and their ratio. The plain side runs once: it takes long enough to be steady."""
    case.seconds(ours, 1)  # warm
    fast, slow = case.seconds(ours, 7), case.seconds(plain, 1)
    return {"plain_s": slow, "ours_s": fast, "ratio": slow / fast}


def difference(case: Case) -> float:
    """Largest relative difference of the inter-image terms over full pairs, values and gradients."""
    results = []
    for terms in (case.inter_terms, lambda: case.plain_inter_terms(pool=1)):
        values = list(terms().values())
        gradients = [torch.autograd.grad(value, case.student, retain_graph=True)[0] for value in values]
        results.append([*(value.detach() for value in values), *gradients])
    return max(float((a - b).norm() / b.norm()) for a, b in zip(*results, strict=True))


def measure() -> dict[str, dict[str, float]]:
    """All comparisons by name."""
    few, many, small = Case(SIZE, FEW), Case(SIZE, MANY), Case(64, FEW, bank=SAMPLES)
    table = {
        "inter-image terms, 7×7-pooled pairs": compare(few, few.plain_inter_terms, few.inter_terms),
        "all five terms, 7×7-pooled pairs": compare(few, few.plain_terms, few.all_terms),
        f"instance terms, {MANY} instances": compare(many, many.plain_instance_terms, many.instance_terms),
        "inter-image terms, all pairs, 64×64": compare(
            small, lambda: small.plain_inter_terms(pool=1), small.inter_terms
        ),
    }
    table["inter-image terms, all pairs, 64×64"]["relative_difference"] = difference(small)
    return table


def measure_bank() -> dict[str, float]:
    """Seconds of the five terms for several sizes of the bank and numbers of drawn images."""
    return {
        f"K {bank}, L {samples}": (case := Case(SIZE, FEW, bank, samples)).seconds(case.all_terms, 5)
        for bank, samples in ((12, 4), (32, 12), (256, 12), (2048, 1024))
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    parser.add_argument("--threads", type=int, help="of PyTorch; one is the fairest on a busy machine")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    table, by_bank = measure(), measure_bank()
    bank = sum(buffer.nbytes for buffer in MemoryBank(BANK, DIM).buffers())
    maps = BANK * SIZE * SIZE * (DIM + 1) * 4  # feature maps and label maps of four bytes a value
    print(f"D {DIM}, {SIZE}×{SIZE}, batch {BATCH}, K {BANK}, L {SAMPLES}, {torch.get_num_threads()} threads; ", end="")
    print("seconds forward + backward")
    print(f"{'':40}{'plain':>10}{'segraft':>10}{'ratio':>8}")
    for name, row in table.items():
        print(f"{name:40}{row['plain_s']:10.3f}{row['ours_s']:10.4f}{row['ratio']:7.0f}×")
    print(f"all pairs: relative difference {table['inter-image terms, all pairs, 64×64']['relative_difference']:.1e}")
    print(f"bank: {bank / 1e3:.1f} KB; feature and label maps would be {maps / 1e6:.0f} MB")
    print("all five terms: " + "; ".join(f"{name}: {seconds:.3f} s" for name, seconds in by_bank.items()))
    if arguments.json:
        results = {"seconds": table, "all_five_by_bank_s": by_bank, "bank_bytes": bank, "map_bytes": maps}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
