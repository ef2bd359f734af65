"""The supervised loss (Liu et al., Eq. 6): affinities against labels, and the foreground head.

Counts and means are those of the whole batch; of several ranks each has its share (`segraft.ranks`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from segraft import ranks
from segraft.graphs.affinity import label_affinities
from segraft.graphs.embedding import at_least_float32
from segraft.tensors import Affinities, Foreground, Labels
from segraft.types import Offsets

FRACTION = (0.05, 0.99)
"""Bounds of the positive fraction from which the class weights are made."""


def affinity(affinities: Affinities, labels: Labels, offsets: Offsets, background: str = "object") -> Tensor:
    """Balanced squared error ``mean w (a − â)²`` over all offsets and valid pairs (Eq. 6), a scalar.

    ``affinities`` are ``(B, N, *space)``, ``labels`` ``(B, *space)``, offsets in pixels; ``background`` as in
    ``label_affinities``, which raises ``UserError`` for an unknown one.

    Per offset and batch the rarer class is weighted by ``max(f, 1 − f) / min(f, 1 − f)``, f the positive fraction
    clipped to [0.05, 0.99], the other by 1. Divided by the number of valid pairs. 0 without any.
    """
    target, valid = label_affinities(labels, offsets, background)
    axes = [axis for axis in range(target.ndim) if axis != 1]
    pairs = ranks.summed(valid.sum(axes))
    positive = (ranks.summed(target.sum(axes)) / pairs.clamp_min(1)).clamp(*FRACTION)
    odds = positive / (1 - positive)
    shape = (1, -1) + (1,) * (target.ndim - 2)
    for_same, for_different = (1 / odds).clamp_min(1).view(shape), odds.clamp_min(1).view(shape)
    weight = torch.where(target > 0, for_same, for_different) * valid
    error = at_least_float32(affinities) - target.to(torch.promote_types(affinities.dtype, torch.float32))
    return ranks.share((weight.to(error.dtype) * error.square()).sum(), pairs.sum())


def foreground(logits: Foreground, labels: Labels) -> Tensor:
    """Binary cross-entropy of logits ``(B, 1, *space)`` against ``labels (B, *space) > 0``, a scalar.

    Unknown pixels (−1) are left out; 0 without known ones. No term of the paper, which takes the foreground as given.
    """
    known = labels >= 0
    logits = at_least_float32(logits.squeeze(1))
    target = (labels > 0).to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return ranks.share(torch.where(known, losses, 0.0).sum(), ranks.summed(known.sum()))
