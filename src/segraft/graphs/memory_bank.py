"""The memory bank: what the teacher saw in the last K images, as two Gram matrices each (Liu et al., section III-C)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from segraft.errors import UserError
from segraft.graphs.embedding import gram, unit
from segraft.graphs.instances import batch_nodes
from segraft.tensors import Embedding, Labels

PIXELS, INSTANCES = 0, 1


def mean_gram(vectors: Tensor, count: Tensor | int) -> Tensor:
    """Gram matrix per vector, ``V Vᵀ / count``; zero where there are none. ``(B, D, P) -> (B, D, D)``."""
    return gram(vectors) / torch.as_tensor(count, device=vectors.device).clamp_min(1).view(-1, 1, 1)


def image_grams(pixels: Tensor, nodes: Tensor, present: Tensor) -> Tensor:
    """What the bank keeps: ``(B, 2, D, D)`` of unit embeddings ``(B, D, *space)`` and unit nodes ``(B, M, D)``."""
    pixels = pixels.flatten(2)
    return torch.stack([mean_gram(pixels, pixels.shape[-1]), mean_gram(nodes.mT, present.sum(1))], dim=1)


def _gathered(grams: Tensor) -> Tensor:
    """The Grams of all ranks in rank order, so that every rank's bank stays the same."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return grams
    parts = [torch.empty_like(grams) for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather(parts, grams.contiguous())
    return torch.cat(parts)


class MemoryBank(nn.Module):
    """The last ``size`` images as pairs of D × D Gram matrices: ``grams[k] = (M Mᵀ / Q, V Vᵀ / J)``.

    M are the unit embeddings of all Q pixels, V the J unit nodes. That is all that Eqs. 4 and 7 need of an image,
    exactly (see ``docs/method.md``): 2 KB in place of a feature map. An image without instances has a zero second
    Gram. All state is in buffers: ``grams (K, 2, D, D)``, ``filled`` and ``cursor`` (images pushed so far).
    """

    def __init__(self, size: int = 32, dim: int = 16, seed: int = 0) -> None:
        super().__init__()
        if min(size, dim) < 1:
            raise UserError(f"memory bank of size {size} and dim {dim}; wanted at least 1 of both")
        self.seed = seed
        self.register_buffer("grams", torch.zeros(size, 2, dim, dim))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.long))

    grams: Tensor
    filled: Tensor
    cursor: Tensor

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]
        """Move with the module, but stay float32 when it is cast to half."""
        grams = self.grams
        super()._apply(fn, recurse)
        if self.grams.dtype != torch.float32:
            self.grams = grams.to(self.grams.device)
        return self

    @torch.no_grad()
    def push(self, embedding: Embedding, labels: Labels) -> None:
        """Remember a batch of teacher embeddings ``(B, D, *space)`` with labels ``(B, *space)``; the oldest go."""
        nodes, present = batch_nodes(embedding, labels)
        self.push_grams(image_grams(unit(embedding), unit(nodes, dim=-1), present))

    @torch.no_grad()
    def push_grams(self, grams: Tensor) -> None:
        """Remember images given as Gram matrices ``(B, 2, D, D)``; under DDP those of all ranks."""
        grams = _gathered(grams.to(self.grams))
        size, new = len(self.grams), len(grams)
        slots = (self.cursor + torch.arange(new, device=grams.device)) % size
        self.grams[slots[-size:]] = grams[-size:]
        self.cursor += new
        self.filled.copy_(self.cursor.clamp_max(size))

    def sample(self, count: int) -> Tensor:
        """Draw ``min(count, filled)`` images without replacement, ``(count', 2, D, D)``, a copy.

        The draw depends on the seed and on how many images were pushed, not on any global generator: every rank
        and every resumed run draws the same.
        """
        generator = np.random.default_rng((self.seed, int(self.cursor)))
        chosen = torch.from_numpy(generator.permutation(int(self.filled))[:count])
        return self.grams[chosen.to(self.grams.device)]
