"""Unit vectors and Gram matrices, always in float32 or wider (the identity behind Liu et al., Eqs. 4 and 7)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

EPSILON = 1e-6
"""Smallest length that a vector is divided by."""


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return a tensor of any shape in at least float32: half precision is widened, float64 stays."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


class _Unit(torch.autograd.Function):
    """``e / max(‖e‖, 1e-6)``, channel by channel: the derivative of the plain formula takes five times longer."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, dim: int) -> Tensor:
        length = _dot(vectors, vectors, dim).sqrt_()
        scale = length.clamp_min(EPSILON).reciprocal_()
        units = vectors * scale
        ctx.dim = dim
        ctx.save_for_backward(units, scale, length > EPSILON)
        return units

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        units, scale, free = ctx.saved_tensors
        radial = _dot(units, gradient, ctx.dim) * free
        return torch.addcmul(gradient, units, radial, value=-1).mul_(scale), None


def _dot(left: Tensor, right: Tensor, dim: int) -> Tensor:
    """Dot products along ``dim``, which stays with size 1."""
    total = torch.zeros_like(left.select(dim, 0))
    for a, b in zip(left.unbind(dim), right.unbind(dim), strict=True):
        total.addcmul_(a, b)
    return total.unsqueeze(dim)


def unit(vectors: Tensor, dim: int = 1) -> Tensor:
    """Scale vectors along ``dim`` to length 1: ``ê = e / max(‖e‖, 1e-6)``, of the same shape, in float32 at least.

    A zero vector stays zero and has a finite gradient, where a bare division would give 1e12.
    """
    with torch.autocast(vectors.device.type, enabled=False):
        return _Unit.apply(at_least_float32(vectors).contiguous(), dim)


class _Gram(torch.autograd.Function):
    """``V Vᵀ``, whose derivative is one product ``(G + Gᵀ) V`` where the plain formula makes two and adds them."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        ctx.save_for_backward(vectors)
        return vectors @ vectors.mT

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (vectors,) = ctx.saved_tensors
        with torch.autocast(vectors.device.type, enabled=False):
            return (gradient + gradient.mT) @ vectors


def gram(vectors: Tensor) -> Tensor:
    """Gram matrix ``V Vᵀ`` of columns: ``(..., D, P) -> (..., D, D)``, divided by nothing, in float32 at least."""
    with torch.autocast(vectors.device.type, enabled=False):
        return _Gram.apply(at_least_float32(vectors))
