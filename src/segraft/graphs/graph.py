"""A network's graphs of a batch of images: affinities of pixels and nodes of instances, made once and shared."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from segraft.graphs.affinity import unit_affinities
from segraft.graphs.embedding import at_least_float32, unit
from segraft.graphs.instances import batch_nodes
from segraft.tensors import Affinities, Embedding, Labels
from segraft.types import Offsets

Nodes = Float[Tensor, "batch instances dim"]
Present = Bool[Tensor, "batch instances"]


@dataclass(frozen=True)
class Graph:
    """The affinity graph and the instance graph of one network for a batch of images (Liu et al., Eqs. 1 and 2).

    The distillation terms compare two of them, the student's and the teacher's, made under the same labels. Images
    have different numbers of instances: M is the largest, and ``present`` says which rows are instances.

    Parameters
    ----------
    units : ``(B, D, *space)``, unit embeddings ê
    affinities : ``(B, N, *space)``, cosines of each pixel with its partner at each of N offsets
    nodes : ``(B, M, D)``, mean raw embeddings v_i (Eq. 1), zero where there is no instance
    unit_nodes : ``(B, M, D)``, the same scaled to length 1, whose dot products are the edges ε_ij (Eq. 2)
    present : ``(B, M)``
    """

    units: Embedding
    affinities: Affinities
    nodes: Nodes
    unit_nodes: Nodes
    present: Present

    @classmethod
    def of(
        cls,
        embedding: Embedding,
        labels: Labels,
        offsets: Offsets,
        units: Embedding | None = None,
        affinities: Affinities | None = None,
    ) -> Graph:
        """Make the graphs of an embedding ``(B, D, *space)`` under labels ``(B, *space)``, in float32 at least.

        ``units`` and ``affinities`` are those of this embedding and these offsets where they have been made already.
        Without offsets there are no affinities (N = 0). Nodes are in order of their ids; background (0) and unknown
        pixels (−1) belong to none.
        """
        embedding = at_least_float32(embedding)
        units = unit(embedding) if units is None else units
        nodes, present = batch_nodes(embedding, labels)
        unit_nodes = unit(nodes, dim=-1)
        affinities = unit_affinities(units, offsets) if affinities is None else affinities
        return cls(units, affinities, nodes, unit_nodes, present)
