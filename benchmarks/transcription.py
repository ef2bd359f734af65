"""The equations of Liu et al. written down one by one, as a plain programmer would: what the benchmark compares with.

Vectorised within a pair of images, with loops over instances, offsets and the L × B pairs of images. The terms across
images take full pairs of pixels, or of pixels averaged over ``pool`` × ``pool`` squares as published. Written from the
equations; no code of others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from segraft.types import Offsets


@dataclass(frozen=True)
class Remembered:
    """What a bank of maps keeps of an image: the teacher's embedding ``(D, y, x)`` and its nodes ``(J, D)``."""

    embedding: Tensor
    nodes: Tensor


def instance_nodes(embedding: Tensor, labels: Tensor) -> Tensor:
    """Mean embedding of every instance of one image, ``(instances, D)``, one after another."""
    return torch.stack([embedding[:, labels == i].mean(1) for i in labels.unique() if i > 0])


def intra_node(student: Tensor, teacher: Tensor) -> Tensor:
    """Eq. 2 for the nodes ``(I, D)`` of one image."""
    return (student - teacher).norm(dim=1).mean()


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosine of every row of ``left`` with every row of ``right``."""
    return normalize(left, dim=1) @ normalize(right, dim=1).T


def intra_edge(student: Tensor, teacher: Tensor) -> Tensor:
    """Eq. 3 for the nodes ``(I, D)`` of one image."""
    return (cosines(student, student) - cosines(teacher, teacher)).square().mean()


def inter_edge(student: Tensor, teacher: Tensor, memory: list[Remembered]) -> Tensor:
    """Eq. 4 for the nodes ``(I, D)`` of one image."""
    values = [(cosines(student, m.nodes) - cosines(teacher, m.nodes)).square().mean() for m in memory]
    return torch.stack(values).mean()


def intra_affinity(student: Tensor, teacher: Tensor, offsets: Offsets) -> Tensor:
    """Eq. 5 for one image ``(D, y, x)``; the offsets point up and left."""
    student, teacher = normalize(student, dim=0), normalize(teacher, dim=0)
    total, count = student.new_zeros(()), 0
    for dy, dx in offsets:
        y, x = student.shape[1] + dy, student.shape[2] + dx
        a, b = ((e[:, -dy:, -dx:] * e[:, :y, :x]).sum(0) for e in (student, teacher))
        total, count = total + (a - b).square().sum(), count + a.numel()
    return total / count


def pooled_pixels(embedding: Tensor, pool: int) -> Tensor:
    """The map ``(D, y, x)`` averaged over squares, as rows ``(P, D)``."""
    return avg_pool2d(embedding[None], pool)[0].flatten(1).T


def inter_affinity(student: Tensor, teacher: Tensor, memory: list[Tensor], pool: int) -> Tensor:
    """Eq. 7 for one image ``(D, y, x)`` and the pixels ``(Q, D)`` of remembered images."""
    student, teacher = pooled_pixels(student, pool), pooled_pixels(teacher, pool)
    values = [(cosines(student, pixels) - cosines(teacher, pixels)).square().mean() for pixels in memory]
    return torch.stack(values).mean()


def terms(
    student: Tensor, teacher: Tensor, labels: Tensor, memory: list[Remembered], offsets: Offsets, pool: int
) -> dict[str, Tensor]:
    """All five terms for a batch ``(B, D, y, x)``: means over its images."""
    pixels = [pooled_pixels(image.embedding, pool) for image in memory]
    rows = []
    for s, t, image_labels in zip(student, teacher, labels, strict=True):
        s_nodes, t_nodes = instance_nodes(s, image_labels), instance_nodes(t, image_labels)
        rows.append(
            {
                "intra_node": intra_node(s_nodes, t_nodes),
                "intra_edge": intra_edge(s_nodes, t_nodes),
                "intra_affinity": intra_affinity(s, t, offsets),
                "inter_edge": inter_edge(s_nodes, t_nodes, memory),
                "inter_affinity": inter_affinity(s, t, pixels, pool),
            }
        )
    return {name: torch.stack([row[name] for row in rows]).mean() for name in rows[0]}
