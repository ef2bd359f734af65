"""The five terms of graph relation distillation (Liu et al., Eqs. 3-5 and 7), each a function of two graphs.

The terms across images compare all pairs of pixels (instances) of a current and a remembered image. With
``Δ = Ê^S − Ê^T`` (D × P) and the remembered ``M`` (D × Q), exactly::

    mean_pq (Δᵀ M)²_pq = ⟨ Δ Δᵀ / P , M Mᵀ / Q ⟩

so that two D × D Gram matrices replace P × Q products. Means over a batch are means over its images, those of all
ranks.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from segraft import ranks
from segraft.errors import UserError
from segraft.graphs.affinity import pairs
from segraft.graphs.embedding import gram
from segraft.graphs.graph import Graph
from segraft.graphs.memory_bank import mean_gram
from segraft.tensors import Affinities, Embedding, Output
from segraft.types import Offsets


def graph_pair(
    student: Tensor | Output,
    teacher: Tensor | Output,
    labels: Tensor,
    offsets: Offsets,
    units: Embedding | None = None,
    affinities: Affinities | None = None,
) -> tuple[Graph, Graph]:
    """Graphs of student and teacher from embeddings ``(B, D, *space)``, or outputs that hold them.

    ``labels`` are ``(B, *space)``; ``units`` and ``affinities`` the student's own where they have been made already.
    No gradient reaches the teacher. Raises ``UserError`` where shapes do not belong together.
    """
    student, teacher = (side.embedding if isinstance(side, Output) else side for side in (student, teacher))
    check(student, teacher, labels, offsets)
    return Graph.of(student, labels, offsets, units, affinities), Graph.of(teacher.detach(), labels, offsets)


def check(student: Tensor, teacher: Tensor, labels: Tensor, offsets: Offsets) -> None:
    """Raise ``UserError`` unless embeddings are ``(B, D, *space)``, labels ``(B, *space)``, offsets of as many axes."""
    got = f"student {tuple(student.shape)}, teacher {tuple(teacher.shape)}, labels {tuple(labels.shape)}"
    if student.shape != teacher.shape or labels.shape != (student.shape[0], *student.shape[2:]):
        raise UserError(
            f"shapes: got {got}, expected (batch, dim, *space) twice and (batch, *space); compare the same images"
        )
    axes = labels.ndim - 1
    if wrong := [offset for offset in offsets if len(offset) != axes]:
        raise UserError(
            f"offsets: got {wrong[0]} for {got}, expected {axes} numbers each; "
            "give one number for each axis of the images"
        )


def intra_terms(student: Graph, teacher: Graph, offsets: Offsets) -> dict[str, Tensor]:
    """The three terms within images (Eqs. 3 and 5), unweighted scalars by name; ``offsets`` are the affinities'."""
    return {
        "intra_node": intra_node(student, teacher),
        "intra_edge": intra_edge(student, teacher),
        "intra_affinity": intra_affinity(student, teacher, offsets),
    }


def intra_node(student: Graph, teacher: Graph) -> Tensor:
    """Node term (Eq. 3, first part): ``mean_i ‖v_i^S − v_i^T‖₂``, a scalar; images without instances are left out."""
    distance = torch.linalg.vector_norm(student.nodes - teacher.nodes, dim=-1) * student.present
    count = student.present.sum(1)
    return _mean_over_images(distance.sum(1) / count.clamp_min(1), count > 0)


def intra_edge(student: Graph, teacher: Graph) -> Tensor:
    """Edge term (Eq. 3, second part): ``mean_ij (ε_ij^S − ε_ij^T)²`` over all |I|² pairs of nodes, a scalar.

    With Δ = V^S − V^T and Σ = (V^S + V^T) / 2 of unit nodes the difference of edges is ΔᵀΣ + ΣᵀΔ, and its squared norm
    ``2 ⟨ΔΔᵀ, ΣΣᵀ⟩ + 2 tr(ΔΣᵀ ΔΣᵀ)`` needs D × D matrices only. Images without instances are left out.
    """
    delta = (student.unit_nodes - teacher.unit_nodes).mT
    middle = ((student.unit_nodes + teacher.unit_nodes) / 2).mT
    with torch.autocast(delta.device.type, enabled=False):
        mixed = delta @ middle.mT
        total = 2 * (gram(delta) * gram(middle)).sum((1, 2)) + 2 * (mixed * mixed.mT).sum((1, 2))
    count = student.present.sum(1)
    return _mean_over_images(total / count.clamp_min(1).square(), count > 0)


def intra_affinity(student: Graph, teacher: Graph, offsets: Offsets) -> Tensor:
    """Affinity term within images (Eq. 5): mean of ``(a^S − a^T)²`` over all offsets and valid pixels, a scalar.

    A pixel is valid for an offset whose partner lies inside the image; ``offsets`` are those of the affinities.
    """
    images, space = student.affinities.shape[0], tuple(student.affinities.shape[2:])
    count = images * pairs(space, offsets)
    return functional.mse_loss(student.affinities, teacher.affinities, reduction="sum") / max(count, 1)


def inter_edge(student: Graph, teacher: Graph, remembered: Tensor) -> Tensor:
    """Edge term across images (Eq. 4): mean over remembered images l and all pairs (i ∈ m, j ∈ l), a scalar.

    ``remembered`` are instance Grams ``(L, D, D)``, zero for images without instances, which are left out.
    """
    inhabited = remembered.diagonal(dim1=-2, dim2=-1).sum(-1) > 0
    reference = remembered.sum(0) / inhabited.sum().clamp_min(1)
    count = student.present.sum(1)
    values = (mean_gram((student.unit_nodes - teacher.unit_nodes).mT, count) * reference).sum((1, 2))
    return _mean_over_images(values, count > 0)


def inter_affinity(student: Graph, teacher: Graph, remembered: Tensor) -> Tensor:
    """Affinity term across images (Eq. 7): mean over remembered images l and all pixel pairs (p ∈ m, q ∈ l), a scalar.

    ``remembered`` are pixel Grams ``(L, D, D)``.
    """
    delta = (student.units - teacher.units).flatten(2)
    reference = remembered.sum(0) / max(len(remembered), 1)
    return (mean_gram(delta, delta.shape[-1]) * reference).sum((1, 2)).mean()


def _mean_over_images(values: Tensor, counted: Tensor) -> Tensor:
    """Mean of ``values (B)`` over the images that count; a differentiable 0 if none does."""
    return ranks.share(torch.where(counted, values, 0.0).sum(), ranks.summed(counted.sum()))
