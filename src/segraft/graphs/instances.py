"""The instance graph: nodes are mean embeddings of instances, edges their cosines (Liu et al., Eqs. 1 and 2)."""

from __future__ import annotations

import torch
from torch import Tensor

from segraft.graphs.embedding import at_least_float32
from segraft.tensors import Labels


def _rows(labels: Tensor) -> tuple[Tensor, int]:
    """Map labels to rows 0..n of a table that is small beside the image; background and unknown go to row 0."""
    labels = labels.clamp_min(0)
    largest = int(labels.max()) if labels.numel() else 0
    if largest > labels.numel() // 16:  # huge ids, as in proofread volumes
        ids, rows = torch.unique(labels, return_inverse=True)
        return (rows, len(ids) - 1) if ids[0] == 0 else (rows + 1, len(ids))
    return labels.long(), largest


def batch_nodes(embedding: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
    """Mean embedding of every instance of every image (Eq. 1), without a loop over instances or images.

    Returns nodes ``(B, M, D)`` in id order, zero rows where an image has no such instance, and which rows are
    instances ``(B, M)``. ``embedding`` is ``(B, D, *space)``, ``labels`` ``(B, *space)``; background (0) and unknown
    pixels (−1) belong to no instance. Means are taken in float32 at least.
    """
    batch, dim = embedding.shape[:2]
    rows, largest = _rows(labels.flatten(1))
    table = largest + 1
    counts = torch.bincount(
        (rows + table * torch.arange(batch, device=rows.device)[:, None]).flatten(), minlength=batch * table
    )
    counts = counts.view(batch, table)
    vectors = at_least_float32(embedding).flatten(2)
    sums = vectors.new_zeros(batch, dim, table).scatter_add(2, rows.unsqueeze(1).expand_as(vectors), vectors)
    nodes = sums.mT / counts.clamp_min(1).unsqueeze(-1)
    return nodes[:, 1:], counts[:, 1:] > 0


def instance_nodes(embedding: Tensor, labels: Tensor) -> Tensor:
    """Nodes ``v_i`` (Eq. 1) of one image, ``(instances, D)`` in id order: mean raw embeddings of its instances.

    ``embedding`` is ``(D, *space)``, ``labels`` ``(*space)``. Background (0) and unknown pixels (−1) belong to none.
    """
    nodes, present = batch_nodes(embedding.unsqueeze(0), labels.unsqueeze(0))
    return nodes[0, present[0]]
