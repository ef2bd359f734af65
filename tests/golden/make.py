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

from segraft.graphs.affinity import embedding_affinities
from segraft.graphs.memory_bank import MemoryBank
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses import AttentionTransfer, GraphRelationLoss, KnowledgeReview, SimilarityPreserving, supervised
from segraft.losses.stages import pooled
from segraft.tensors import Output

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


def output(features: Tensor) -> Output:
    """Two stages made of ``features (2, C, *space)``: C − 1 channels at half the size, then at the whole."""
    half = tuple(size // 2 for size in features.shape[2:])
    return Output(features, features[:, :1], (pooled(features[:, 1:], half), features[:, 1:]))


def review(student: Output, teacher: Output) -> KnowledgeReview:
    """Fusion modules whose weights no random generator has a part in."""
    channels = ([stage.shape[1] for stage in each.stages] for each in (student, teacher))
    loss = KnowledgeReview(*channels, ndim=student.embedding.ndim - 2).double()
    with torch.no_grad():
        for number, weights in enumerate(loss.parameters()):
            weights.copy_(waves(weights.shape, 0.31 + 0.01 * number))
    return loss


def baseline_cases(space: tuple[int, ...]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """(term, loss, features or weights that it depends on) of the baselines that compare stages."""
    features = waves((2, 4, *space), 0.37).requires_grad_()
    student, teacher = output(features), output(waves((2, 6, *space), 0.41))
    fusion = review(student, teacher)
    for loss in (AttentionTransfer(), SimilarityPreserving(), fusion):
        for term, value in loss(student, teacher).items():
            yield term, value, features
    yield "review/fusion", fusion(student, teacher)["review"], fusion.fusions[1].entry[0].weight


def cases() -> Iterator[tuple[str, Tensor, Tensor]]:
    """(name, loss, student embedding or logits that it depends on) of every term in both dimensions."""
    for name, space in SPACES.items():
        labels = blocks(space)
        student = waves((2, 4, *space), 0.37).requires_grad_()
        loss = GraphRelationLoss(OFFSETS[name], MemoryBank(8, 4), samples=3)
        loss.memory.push(waves((2, 4, *space), 0.53), labels.flip(0))
        for term, value in loss(student, waves((2, 4, *space), 0.41), labels).items():
            yield f"{name}/{term}", value, student
        affinities = embedding_affinities(student, OFFSETS[name])
        yield f"{name}/affinity", supervised.affinity(affinities, labels, OFFSETS[name], BACKGROUNDS[name]), student
        logits = waves((2, 1, *space), 0.29).requires_grad_()
        yield f"{name}/foreground", supervised.foreground(logits, labels), logits
        for term, value, inputs in baseline_cases(space):
            yield f"{name}/{term}", value, inputs


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
