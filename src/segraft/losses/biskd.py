"""BISKD, a baseline and the forerunner of graph relation distillation (Liu et al., MICCAI 2022): within images only."""

from __future__ import annotations

from torch import Tensor

from segraft.losses.distiller import Distiller, Lesson, Setup
from segraft.losses.graph_terms import graph_pair, intra_terms
from segraft.tensors import Embedding, Labels, Output
from segraft.types import Offsets


class BISKD(Distiller):
    """Instance graph and affinities within each image: ``intra_node``, ``intra_edge``, ``intra_affinity``.

    The terms are those of graph relation distillation (Eqs. 3 and 5 of Liu et al. 2024), without a memory bank.
    Where the released code of BISKD differs, the decisions are the same: affinities are averaged over offsets and
    valid pairs, not summed over offsets with partners that wrap around the borders, and cosines have their whole
    derivative, not that at constant norms. The code compares nodes and edges of two decoder stages too, through
    projections drawn anew in each step and never trained; that is left out. No gradient reaches the teacher.

    Parameters
    ----------
    offsets : displacements of the affinities in pixels, of as many numbers as the images have axes
    """

    def __init__(self, offsets: Offsets) -> None:
        super().__init__()
        self.offsets = offsets

    @classmethod
    def from_setup(cls, setup: Setup) -> BISKD:
        """With the training's offsets."""
        return cls(setup.offsets)

    def forward(self, student: Embedding | Output, teacher: Embedding | Output, labels: Labels) -> dict[str, Tensor]:
        """Compare embeddings ``(B, D, *space)``, or outputs that hold them, under labels ``(B, *space)``.

        Raises ``UserError`` where shapes and offsets do not belong together.
        """
        return intra_terms(*graph_pair(student, teacher, labels, self.offsets), self.offsets)

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """The same of a training step, for the lesson's offsets."""
        return intra_terms(*lesson.graphs(), lesson.offsets)
