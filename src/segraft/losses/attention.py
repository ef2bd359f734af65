"""Attention transfer, a baseline (Zagoruyko & Komodakis, ICLR 2017, arXiv 1612.03928): where layers are active."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from segraft.graphs.embedding import EPSILON
from segraft.losses.distiller import Distiller, Lesson, Setup
from segraft.losses.stages import pooled, stage_pairs
from segraft.tensors import Output


def attention_map(features: Tensor, size: tuple[int, ...]) -> Tensor:
    """Attention ``q = vec(F) / ‖vec(F)‖₂`` (B, pixels) of features A ``(B, C, *space)``, with ``F = mean_c A_c²``.

    F is averaged over blocks to ``size`` first. A map of zeros stays zero.
    """
    energy = pooled(features.square().mean(1, keepdim=True), size).flatten(1)
    return functional.normalize(energy, dim=1, eps=EPSILON)


def attention(pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Sum over pairs of stages ``(B, C, *space)`` of the mean of ``(q^S − q^T)²`` over images and pixels, a scalar.

    Eq. 2 writes a norm, and β divided by the numbers of pixels and of images; this is what the authors' code computes.
    Maps of different sizes are compared at the smaller size of each axis.
    """
    total = pairs[0][0].new_zeros(())
    for student, teacher in pairs:
        size = tuple(map(min, student.shape[2:], teacher.shape[2:]))
        total = total + functional.mse_loss(attention_map(student, size), attention_map(teacher, size))
    return total


class AttentionTransfer(Distiller):
    """Student stages shall be active where the teacher's are: ``{"attention": Σ_j mean (q_j^S − q_j^T)²}``.

    Needs ``stages`` of both networks, paired by relative depth (``stages.aligned``). Neither numbers of channels nor
    the scale of the features matter. Needs no labels. No gradient reaches the teacher.
    """

    compares_stages = True

    @classmethod
    def from_setup(cls, setup: Setup) -> AttentionTransfer:
        """The same for all trainings."""
        return cls()

    def forward(self, student: Output, teacher: Output) -> dict[str, Tensor]:
        """Compare the stages of two outputs for the same images; raises ``UserError`` where there are none."""
        return {"attention": attention(stage_pairs(student, teacher))}

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """The same of a training step."""
        return self(lesson.student, lesson.output())
