"""A network as other programs want it: from grey values to affinities and a probability, in one graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.graphs.embedding import EPSILON
from segraft.graphs.offsets import reach
from segraft.networks.contract import Network
from segraft.types import Offsets


class AffinityNetwork(nn.Module):
    """From ``(1, C, *w)`` to affinities ``(1, N, *v)``, in [-1, 1], and foreground probability ``(1, 1, *v)``.

    Of the image, 0 is the low end of the grey values and 1 the high end. What is below 0 is clipped, and where grey
    values are ``compressed`` what is above 1 becomes 1 + log x, as `segraft.images.normalisation.Scale` does it.
    """

    def __init__(self, network: Network, offsets: Offsets, compressed: bool) -> None:
        super().__init__()
        self.network, self.offsets, self.compressed = network, offsets, compressed

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        scaled = image.clamp_min(0)
        if self.compressed:
            scaled = torch.where(scaled > 1, 1 + scaled.clamp_min(1).log(), scaled)
        output = self.network(scaled)
        return cosines(output.embedding, self.offsets), output.foreground.sigmoid()


def cosines(embedding: Tensor, offsets: Offsets) -> Tensor:
    """What `segraft.embedding_affinities` returns for ``(B, D, *space)``, as a graph for images of every size.

    The image is padded by zeros as far as offsets reach: each partner is then there, and one outside the image adds 0.
    """
    vectors = functional.normalize(embedding, dim=1, eps=EPSILON)
    far = reach(offsets)
    padded = functional.pad(vectors, [size for size in reversed(far) for _ in range(2)])
    maps = []
    for offset in offsets:
        partners = padded
        for axis, (size, step) in enumerate(zip(far, offset, strict=True), start=2):
            partners = partners.narrow(axis, size + step, vectors.shape[axis])
        maps.append((vectors * partners).sum(1))
    return torch.stack(maps, 1)
