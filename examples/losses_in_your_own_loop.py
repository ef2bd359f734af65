"""Graph relation distillation in a training loop of your own: any two networks that return an embedding will do.

python examples/losses_in_your_own_loop.py --steps 20
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

import segraft
from segraft.weights import GRAPH_WEIGHTS


def embedder(width: int) -> nn.Sequential:
    """A small network of your own, from an image to 16 numbers per pixel."""
    first, second = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), nn.Conv2d(width, 16, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    steps = parser.parse_args().steps
    torch.manual_seed(0)
    teacher, student = embedder(32).eval().requires_grad_(False), embedder(4)
    distillation = segraft.GraphRelationLoss(segraft.OFFSETS_2D, segraft.MemoryBank(size=32, dim=16), samples=12)
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
    for step in range(steps):
        labels = torch.randint(0, 4, (2, 8, 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)  # squares of 8 × 8
        image = labels[:, None] / 4 + 0.1 * torch.randn(2, 1, 64, 64)
        terms = distillation(student(image), teacher(image), labels)  # unweighted, by name
        loss = segraft.weighted_sum(terms, GRAPH_WEIGHTS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step in (0, steps - 1):
            print(f"step {step}: loss {loss:.4f}", *(f"{name} {term:.4f}" for name, term in terms.items()))


if __name__ == "__main__":
    main()
