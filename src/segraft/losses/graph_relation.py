"""Graph relation distillation, the paper's method (Liu et al., Eqs. 1-5 and 7).

The terms across images compare all pairs of pixels (instances) of a current and a remembered image. With
``Δ = Ê^S − Ê^T`` (D × P) and the remembered ``M`` (D × Q), exactly::

    mean_pq (Δᵀ M)²_pq = ⟨ Δ Δᵀ / P , M Mᵀ / Q ⟩

so that two D × D Gram matrices replace P × Q products.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.errors import UserError
from segraft.graphs.affinity import pairs, unit_affinities
from segraft.graphs.embedding import exact, gram, unit
from segraft.graphs.instances import batch_nodes
from segraft.graphs.memory_bank import INSTANCES, PIXELS, MemoryBank, image_grams, mean_gram
from segraft.tensors import Affinities, Embedding, Labels, Output
from segraft.types import Offsets


def _mean_over_images(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of ``values (B)`` over the images that count; a differentiable 0 if none does."""
    return torch.where(counted, values, 0.0).sum() / counted.sum().clamp_min(1)


def intra_node(student: Tensor, teacher: Tensor, present: Tensor) -> Tensor:
    """Node term (Eq. 2): ``mean_i ‖v_i^S − v_i^T‖₂``. Nodes are ``(B, M, D)``, ``present (B, M)``."""
    distance = torch.linalg.vector_norm(student - teacher, dim=-1) * present
    count = present.sum(1)
    return _mean_over_images(distance.sum(1) / count.clamp_min(1), count > 0)


def intra_edge(student: Tensor, teacher: Tensor, present: Tensor) -> Tensor:
    """Edge term (Eq. 3): ``mean_ij (ε_ij^S − ε_ij^T)²`` over all |I|² pairs of unit nodes ``(B, M, D)``.

    With Δ = V^S − V^T and Σ = (V^S + V^T) / 2 the difference of edges is ΔᵀΣ + ΣᵀΔ, and its squared norm
    ``2 ⟨ΔΔᵀ, ΣΣᵀ⟩ + 2 tr(ΔΣᵀ ΔΣᵀ)`` needs D × D matrices only.
    """
    delta, middle = (student - teacher).mT, ((student + teacher) / 2).mT
    with torch.autocast(delta.device.type, enabled=False):
        mixed = delta @ middle.mT
        total = 2 * (gram(delta) * gram(middle)).sum((1, 2)) + 2 * (mixed * mixed.mT).sum((1, 2))
    count = present.sum(1)
    return _mean_over_images(total / count.clamp_min(1).square(), count > 0)


def intra_affinity(student: Affinities, teacher: Affinities, offsets: Offsets) -> Tensor:
    """Affinity term within images (Eq. 5): mean of ``(a^S − a^T)²`` over all offsets and valid pixels."""
    count = student.shape[0] * pairs(student.shape[2:], offsets)
    return functional.mse_loss(student, teacher, reduction="sum") / max(count, 1)


def inter_edge(student: Tensor, teacher: Tensor, present: Tensor, remembered: Tensor) -> Tensor:
    """Edge term across images (Eq. 4): mean over remembered images l and all pairs (i ∈ m, j ∈ l).

    ``student`` and ``teacher`` are unit nodes ``(B, M, D)``, ``remembered`` instance Grams ``(L, D, D)``, zero for
    images without instances, which are left out.
    """
    seen = remembered.diagonal(dim1=-2, dim2=-1).sum(-1) > 0
    reference = remembered.sum(0) / seen.sum().clamp_min(1)
    count = present.sum(1)
    values = (mean_gram((student - teacher).mT, count) * reference).sum((1, 2))
    return _mean_over_images(values, count > 0)


def inter_affinity(student: Tensor, teacher: Tensor, remembered: Tensor) -> Tensor:
    """Affinity term across images (Eq. 7): mean over remembered images l and all pixel pairs (p ∈ m, q ∈ l).

    ``student`` and ``teacher`` are unit embeddings ``(B, D, *space)``, ``remembered`` pixel Grams ``(L, D, D)``.
    """
    delta = (student - teacher).flatten(2)
    reference = remembered.sum(0) / max(len(remembered), 1)
    return (mean_gram(delta, delta.shape[-1]) * reference).sum((1, 2)).mean()


def check(student: Tensor, teacher: Tensor, labels: Tensor, offsets: Offsets, memory: MemoryBank | None = None) -> None:
    """Raise ``UserError`` where shapes do not belong together."""
    came = f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}, labels {tuple(labels.shape)}"
    if student.shape != teacher.shape or labels.shape != (student.shape[0], *student.shape[2:]):
        raise UserError(f"{came}; wanted (batch, dim, *space) twice and (batch, *space); compare the same images")
    if memory is not None and memory.grams.shape[-1] != student.shape[1]:
        raise UserError(
            f"{came}, memory bank of dim {memory.grams.shape[-1]}; make the bank with dim={student.shape[1]}"
        )
    if any(len(offset) != labels.ndim - 1 for offset in offsets):
        raise UserError(f"{came}, offsets {offsets[:3]}...; wanted offsets of {labels.ndim - 1} numbers each")


class GraphRelationLoss(nn.Module):
    """The five distillation terms of Eq. 8, unweighted, by name.

    In training mode the teacher's batch is pushed to ``memory`` first, then ``contrast`` remembered images are drawn
    once for the whole batch. No gradient reaches the teacher.

    Parameters
    ----------
    offsets : displacements of the affinities, of as many numbers as the images have axes
    memory : bank whose ``dim`` is that of the embeddings
    contrast : L, remembered images to compare with in each step
    background : changes nothing: background is no instance, and affinities are compared with the teacher's, not with
        labels. Taken, and kept as an attribute, so that all losses are made with the same arguments.
    """

    def __init__(self, offsets: Offsets, memory: MemoryBank, contrast: int = 12, background: str = "object") -> None:
        super().__init__()
        self.offsets, self.memory, self.contrast, self.background = offsets, memory, contrast, background

    @classmethod
    def for_networks(
        cls,
        student: Any,
        teacher: Any,
        patch: tuple[int, ...],
        offsets: Offsets,
        memory: int = 32,
        contrast: int = 12,
        seed: int = 0,
    ) -> GraphRelationLoss:
        """The same for all networks of one ``dim``, with a bank of ``memory`` images that is drawn from by ``seed``."""
        return cls(offsets, MemoryBank(memory, student.dim, seed), contrast)

    def forward(
        self,
        student: Embedding | Output,
        teacher: Embedding | Output,
        labels: Labels,
        affinities: Affinities | None = None,
        units: Embedding | None = None,
    ) -> dict[str, Tensor]:
        """Compare embeddings ``(B, D, *space)``, or outputs that hold them, under labels ``(B, *space)``.

        ``affinities`` and ``units`` (unit vectors) are the student's own, where the caller has them already.
        """
        student, teacher = (side.embedding if isinstance(side, Output) else side for side in (student, teacher))
        check(student, teacher, labels, self.offsets, self.memory)
        student, teacher = exact(student), exact(teacher.detach())
        pixels, teacher_pixels = unit(student) if units is None else units, unit(teacher)
        nodes, present = batch_nodes(student, labels)
        teacher_nodes, _ = batch_nodes(teacher, labels)
        edges, teacher_edges = unit(nodes, dim=-1), unit(teacher_nodes, dim=-1)
        if self.training:
            self.memory.push_grams(image_grams(teacher_pixels, teacher_edges, present))
        remembered = self.memory.sample(self.contrast).to(student.dtype)
        if affinities is None:
            affinities = unit_affinities(pixels, self.offsets)
        return {
            "intra_node": intra_node(nodes, teacher_nodes, present),
            "intra_edge": intra_edge(edges, teacher_edges, present),
            "intra_affinity": intra_affinity(affinities, unit_affinities(teacher_pixels, self.offsets), self.offsets),
            "inter_edge": inter_edge(edges, teacher_edges, present, remembered[:, INSTANCES]),
            "inter_affinity": inter_affinity(pixels, teacher_pixels, remembered[:, PIXELS]),
        }
