"""Graph relation distillation, the paper's method (Liu et al., Eqs. 3-5 and 7) with its memory bank (III-A.2)."""

from __future__ import annotations

from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.graph import Graph
from segraft.graphs.memory_bank import INSTANCES, PIXELS, MemoryBank, image_grams
from segraft.losses.distiller import Distiller, Lesson, Setup
from segraft.losses.graph_terms import graph_pair, inter_affinity, inter_edge, intra_terms
from segraft.tensors import Embedding, Labels, Output
from segraft.types import Offsets


class GraphRelationLoss(Distiller):
    """The five distillation terms of Eq. 8, unweighted scalars by name.

    ``intra_node intra_edge intra_affinity inter_edge inter_affinity``. In training mode the teacher's batch is pushed
    to ``memory`` first, then ``samples`` remembered images are drawn once for the whole batch. No gradient reaches the
    teacher.

    Parameters
    ----------
    offsets : displacements of the affinities in pixels, of as many numbers as the images have axes
    memory : bank whose ``dim`` is that of the embeddings
    samples : L, remembered images to compare with in each step
    """

    def __init__(self, offsets: Offsets, memory: MemoryBank, samples: int = 12) -> None:
        super().__init__()
        self.offsets, self.memory, self.samples = offsets, memory, samples

    @classmethod
    def from_setup(cls, setup: Setup) -> GraphRelationLoss:
        """With a bank of ``bank_size`` images of the student's ``dim``, drawn from by ``seed``.

        Raises ``UserError`` for a bank of no images.
        """
        bank = MemoryBank(setup.bank_size, setup.student.geometry.dim, setup.seed)
        return cls(setup.offsets, bank, setup.bank_samples)

    def forward(self, student: Embedding | Output, teacher: Embedding | Output, labels: Labels) -> dict[str, Tensor]:
        """Compare embeddings ``(B, D, *space)``, or outputs that hold them, under labels ``(B, *space)``.

        Raises ``UserError`` where shapes, offsets and bank do not belong together.
        """
        return self._terms(*graph_pair(student, teacher, labels, self.offsets), self.offsets)

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """The same of a training step, for the lesson's offsets."""
        return self._terms(*lesson.graphs(), lesson.offsets)

    def _terms(self, student: Graph, teacher: Graph, offsets: Offsets) -> dict[str, Tensor]:
        self._check_dim(student.units.shape[1])
        if self.training:
            self.memory.push_grams(image_grams(teacher))
        remembered = self.memory.sample(self.samples).to(student.units.dtype)
        return intra_terms(student, teacher, offsets) | {
            "inter_edge": inter_edge(student, teacher, remembered[:, INSTANCES]),
            "inter_affinity": inter_affinity(student, teacher, remembered[:, PIXELS]),
        }

    def _check_dim(self, dim: int) -> None:
        kept = self.memory.grams.shape[-1]
        if kept != dim:
            raise UserError(
                f"memory bank: got dim {kept}, expected {dim} as of the embeddings; make the bank with dim={dim}"
            )
