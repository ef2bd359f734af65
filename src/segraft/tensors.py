"""The tensors that travel between modules. ``*space`` is ``(y, x)`` or ``(z, y, x)``."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

Embedding = Float[Tensor, "batch dim *space"]
Affinities = Float[Tensor, "batch offsets *space"]
Valid = Bool[Tensor, "batch offsets *space"]
Foreground = Float[Tensor, "batch 1 *space"]
Labels = Int[Tensor, "batch *space"]


class Output(NamedTuple):
    """Of a network: ``embedding (B, D, *space)``, foreground logits ``(B, 1, *space)``, stages bottleneck first."""

    embedding: Tensor
    foreground: Tensor
    stages: tuple[Tensor, ...] = ()
