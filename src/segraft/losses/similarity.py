"""Similarity-preserving distillation, a baseline (Tung & Mori, ICCV 2019, arXiv 1907.09682): which images are alike."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from segraft import ranks
from segraft.errors import UserError
from segraft.graphs.embedding import gram, unit
from segraft.losses.distiller import Distiller, Lesson, Setup
from segraft.losses.stages import stage_pairs
from segraft.tensors import Output


def similarities(features: Tensor) -> Tensor:
    """How alike the images of a batch are: ``Q Qᵀ`` (B, B), rows scaled to length 1 (Eqs. 1-3).

    Q are the features ``(B, C, *space)`` with one row per image.
    """
    return unit(gram(features.flatten(1)), dim=1)


def similarity(pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Sum over pairs of stages ``(b, C, *space)`` of ``‖G^T − G^S‖_F² / b²``, a scalar (Eq. 4).

    The b images are those of all ranks, and so is the value; of the gradient each rank has its part.
    """
    total = pairs[0][0].new_zeros(())
    for student, teacher in pairs:
        ours, theirs = similarities(ranks.joined(student)), similarities(ranks.gathered(teacher))
        total = total + functional.mse_loss(ours, theirs)
    return total


class SimilarityPreserving(Distiller):
    """Images alike to the teacher shall be alike to the student: ``{"similarity": Σ_j ‖G_j^T − G_j^S‖_F² / b²}``.

    Needs ``stages`` of both networks, paired by relative depth (``stages.aligned``); their numbers of channels and of
    pixels do not matter. As rows of G have length 1, the term shrinks like 1 / b: published weights are for batches of
    64 and more. With one image there is nothing to compare: both G are 1, the term and its gradient 0. Of several
    ranks each compares the images of all. Needs no labels. No gradient reaches the teacher.
    """

    compares_stages = True

    @classmethod
    def from_setup(cls, setup: Setup) -> SimilarityPreserving:
        """The same for all trainings; raises ``UserError`` for batches of one image, which teach nothing."""
        if setup.batch < 2:
            raise UserError(
                f"batch: got {setup.batch}, expected at least 2, for spkd compares the images of a batch; "
                "give --batch 2 or more"
            )
        return cls()

    def forward(self, student: Output, teacher: Output) -> dict[str, Tensor]:
        """Compare the stages of two outputs for the same images; raises ``UserError`` where there are none."""
        return {"similarity": similarity(stage_pairs(student, teacher))}

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """The same of a training step."""
        return self(lesson.student, lesson.output())
