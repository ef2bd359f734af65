"""The memory bank (Liu et al., section III-A.2): the teacher's last K images, as two Gram matrices each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from segraft import ranks
from segraft.errors import UserError
from segraft.graphs.embedding import gram
from segraft.graphs.graph import Graph
from segraft.tensors import Embedding, Labels

PIXELS, INSTANCES = 0, 1
"""Which of an image's two Gram matrices is which."""


def mean_gram(vectors: Tensor, count: Tensor | int) -> Tensor:
    """Gram matrix per vector, ``V Vᵀ / count``; zero where there are none. ``(B, D, P) -> (B, D, D)``."""
    return gram(vectors) / torch.as_tensor(count, device=vectors.device).clamp_min(1).view(-1, 1, 1)


def image_grams(graph: Graph) -> Tensor:
    """What the bank keeps of each image: Gram matrices of unit embeddings and of unit nodes, ``(B, 2, D, D)``."""
    pixels = graph.units.flatten(2)
    instances = mean_gram(graph.unit_nodes.mT, graph.present.sum(1))
    return torch.stack([mean_gram(pixels, pixels.shape[-1]), instances], dim=1)


class MemoryBank(nn.Module):
    """The last ``size`` images as pairs of D × D Gram matrices: ``grams[k] = (M Mᵀ / Q, V Vᵀ / J)``.

    M are the unit embeddings of all Q pixels, V the J unit nodes. That is all that Eqs. 4 and 7 need of an image,
    exactly (see ``docs/method.md``): 2 KB in place of a feature map. An image without instances has a zero second
    Gram. All state is in buffers: ``grams (K, 2, D, D)``, ``filled`` and ``cursor`` (images pushed so far).

    Parameters
    ----------
    size : K, images to hold, at least 1, else ``UserError``
    dim : D, numbers per pixel of the embeddings, at least 1, else ``UserError``
    seed : of the draws
    """

    def __init__(self, size: int, dim: int, seed: int = 0) -> None:
        super().__init__()
        if min(size, dim) < 1:
            raise UserError(
                f"memory bank: got size {size} and dim {dim}, expected at least 1 each; give larger numbers"
            )
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
        self.push_grams(image_grams(Graph.of(embedding, labels, offsets=())))

    @torch.no_grad()
    def push_grams(self, grams: Tensor) -> None:
        """Remember images given as Gram matrices ``(B, 2, D, D)``, those of all ranks in their order."""
        grams = ranks.gathered(grams.to(self.grams))
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
