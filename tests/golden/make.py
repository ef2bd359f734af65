"""Make ``losses.safetensors``: values of every loss term and their gradients, in float64, on closed-form inputs.

    python tests/golden/make.py

Run it only when a formula is meant to change; the brute-force tests say whether the new numbers are right.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from segraft.affinity import OFFSETS_2D, OFFSETS_3D, embedding_affinities
from segraft.losses import GraphRelationLoss, supervised
from segraft.memory import MemoryBank

FILE = Path(__file__).with_name("losses.safetensors")
SPACES = {"2d": (9, 11), "3d": (3, 5, 6)}
OFFSETS = {"2d": OFFSETS_2D, "3d": OFFSETS_3D}
BACKGROUNDS = {"2d": "object", "3d": "separate"}


def waves(shape: tuple[int, ...], step: float) -> Tensor:
    """Numbers without pattern that no random generator has a part in."""
    return torch.sin(step * torch.arange(1, 1 + torch.Size(shape).numel(), dtype=torch.float64) ** 1.5).view(shape)


def blocks(space: tuple[int, ...]) -> Tensor:
    """Labels ``(2, *space)``: a few instances with gaps between the ids, background 0 and unknown −1."""
    numbers = (2.5 + 2.5 * waves((2, *space), 0.003)).long()
    return torch.where(numbers == 4, -1, torch.where(numbers == 3, 17, numbers))


def cases() -> Iterator[tuple[str, Tensor, Tensor]]:
    """(name, loss, student embedding or logits that it depends on) of every term in both dimensions."""
    for name, space in SPACES.items():
        labels = blocks(space)
        student = waves((2, 4, *space), 0.37).requires_grad_()
        loss = GraphRelationLoss(OFFSETS[name], MemoryBank(8, 4), contrast=3)
        loss.memory.push(waves((2, 4, *space), 0.53), labels.flip(0))
        for term, value in loss(student, waves((2, 4, *space), 0.41), labels).items():
            yield f"{name}/{term}", value, student
        affinities = embedding_affinities(student, OFFSETS[name])
        yield f"{name}/affinity", supervised.affinity(affinities, labels, OFFSETS[name], BACKGROUNDS[name]), student
        logits = waves((2, 1, *space), 0.29).requires_grad_()
        yield f"{name}/foreground", supervised.foreground(logits, labels), logits


def results() -> dict[str, Tensor]:
    """Values under the term's name, gradients under ``name.gradient``."""
    found = {}
    for name, value, inputs in cases():
        found[name] = value.detach()
        found[f"{name}.gradient"] = torch.autograd.grad(value, inputs, retain_graph=True)[0]
    return found


if __name__ == "__main__":
    save_file(results(), FILE)
    print(f"{FILE}: {FILE.stat().st_size} bytes")
