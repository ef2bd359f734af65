"""The affinity graph: how much two pixels at a fixed displacement belong together (Liu et al., section III-B)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from segraft.errors import choose
from segraft.graphs.embedding import unit
from segraft.graphs.offsets import ends
from segraft.tensors import Affinities, Embedding, Labels, Valid
from segraft.types import Offsets

BACKGROUNDS = {"object": 1, "separate": 0}
"""Label affinity of two background ends: one large object (2-D), or never together (membranes in EM)."""


def pairs(space: tuple[int, ...], offsets: Offsets) -> int:
    """Count the pairs of pixels that all offsets together connect inside an image of this shape."""
    return sum(math.prod(max(0, size - abs(k)) for size, k in zip(space, offset, strict=True)) for offset in offsets)


class _UnitAffinities(torch.autograd.Function):
    """Dot products of unit vectors with their displaced partners.

    Accumulates channel by channel in place: the plain product over all channels is ten times slower in
    either direction, because it moves every displaced copy of the embedding through memory.
    """

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, offsets: Offsets) -> Tensor:
        vectors = vectors.contiguous()  # one plane per channel; a channels-last network hands over pixels
        ctx.save_for_backward(vectors)
        ctx.offsets = offsets
        affinities = vectors.new_zeros(vectors.shape[0], len(offsets), *vectors.shape[2:])
        for n, offset in enumerate(offsets):
            here, there = ends(offset)
            target = affinities[:, n][:, *here]
            for channel in vectors.unbind(1):
                target.addcmul_(channel[:, *here], channel[:, *there])
        return affinities

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (vectors,) = ctx.saved_tensors
        result = torch.zeros_like(vectors)
        for channel, into in zip(vectors.unbind(1), result.unbind(1), strict=True):
            for n, offset in enumerate(ctx.offsets):
                here, there = ends(offset)
                slope = gradient[:, n][:, *here]
                into[:, *here].addcmul_(slope, channel[:, *there])
                into[:, *there].addcmul_(slope, channel[:, *here])
        return result, None


def unit_affinities(vectors: Tensor, offsets: Offsets) -> Affinities:
    """Affinities ``(B, N, *space)`` of unit vectors ``(B, D, *space)``; 0 where a partner lies outside the image."""
    return _UnitAffinities.apply(vectors, offsets)


def embedding_affinities(embedding: Embedding, offsets: Offsets) -> Affinities:
    """Affinity ``a[n, p] = cos(e[p], e[p + offset n])`` of an embedding ``(B, D, *space)``, as in Eqs. 5 and 6.

    Returns ``(B, N, *space)``, in [-1, 1], 0 where a partner lies outside the image; float32 at least. Offsets are in
    pixels.
    """
    return unit_affinities(unit(embedding), offsets)


def label_affinities(labels: Labels, offsets: Offsets, background: str = "object") -> tuple[Affinities, Valid]:
    """Target affinities ``â`` of Eq. 6 and where they are defined, both ``(B, N, *space)``, from ``(B, *space)``.

    1 where both ends carry the same label, else 0; valid where both ends lie inside the image and are known
    (label −1 is unknown). ``background`` says what two background ends are: one ``"object"`` or ``"separate"``; raises
    ``UserError`` for another word. Offsets are in pixels.
    """
    alike = bool(choose("background", background, BACKGROUNDS))
    shape = (labels.shape[0], len(offsets), *labels.shape[1:])
    same = torch.zeros(shape, dtype=torch.bool, device=labels.device)
    valid = torch.zeros_like(same)
    known, joinable = labels >= 0, labels >= (0 if alike else 1)
    for n, offset in enumerate(offsets):
        here, there = ends(offset)
        p, q = labels[:, *here], labels[:, *there]
        valid[:, n][:, *here] = known[:, *here] & known[:, *there]
        same[:, n][:, *here] = (p == q) & joinable[:, *here]
    return same.float(), valid
