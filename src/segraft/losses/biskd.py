"""BISKD, a baseline and the forerunner of graph relation distillation (Liu et al., MICCAI 2022): within images only."""

from __future__ import annotations

from torch import Tensor, nn

from segraft.graphs.affinity import unit_affinities
from segraft.graphs.embedding import exact, unit
from segraft.graphs.instances import batch_nodes
from segraft.losses.graph_relation import check, intra_affinity, intra_edge, intra_node
from segraft.tensors import Affinities, Embedding, Labels, Output
from segraft.types import Offsets


class BISKD(nn.Module):
    """Instance graph and affinities within each image: ``intra_node``, ``intra_edge``, ``intra_affinity``.

    The terms are those of graph relation distillation (Eqs. 2, 3 and 5 of Liu et al. 2024), without a memory bank.
    Where the released code of BISKD differs, the decisions are the same: affinities are averaged over offsets and
    valid pairs, not summed over offsets with partners that wrap around the borders, and cosines have their whole
    derivative, not that at constant norms. The code compares nodes and edges of two decoder stages too, through
    projections drawn anew in each step and never trained; that is left out. No gradient reaches the teacher.
    """

    def __init__(self, offsets: Offsets) -> None:
        super().__init__()
        self.offsets = offsets

    @classmethod
    def for_networks(cls, student: nn.Module, teacher: nn.Module, patch: tuple[int, ...], offsets: Offsets) -> BISKD:
        """The same for all networks; ``offsets`` are the displacements of the affinities."""
        return cls(offsets)

    def forward(
        self,
        student: Output,
        teacher: Output,
        labels: Labels,
        affinities: Affinities | None = None,
        units: Embedding | None = None,
    ) -> dict[str, Tensor]:
        """Compare the embeddings of two outputs under labels ``(B, *space)``.

        ``affinities`` are the student's own for these offsets, where the caller has computed them already.
        """
        check(student.embedding, teacher.embedding, labels, self.offsets)
        mine, theirs = exact(student.embedding), exact(teacher.embedding.detach())
        nodes, present = batch_nodes(mine, labels)
        teacher_nodes, _ = batch_nodes(theirs, labels)
        if affinities is None:
            affinities = unit_affinities(unit(mine), self.offsets)
        return {
            "intra_node": intra_node(nodes, teacher_nodes, present),
            "intra_edge": intra_edge(unit(nodes, dim=-1), unit(teacher_nodes, dim=-1), present),
            "intra_affinity": intra_affinity(affinities, unit_affinities(unit(theirs), self.offsets), self.offsets),
        }
