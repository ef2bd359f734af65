"""Knowledge review, a baseline (Chen et al., CVPR 2021, arXiv 2104.09044): deep stages help to mimic shallower ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.errors import UserError
from segraft.graphs.embedding import at_least_float32
from segraft.losses.distiller import Distiller, Lesson, Setup
from segraft.losses.stages import aligned, pooled, stage_channels, stage_pairs
from segraft.tensors import Output

CONVOLUTIONS: dict[int, Any] = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS: dict[int, Any] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
LEVELS = (4, 2, 1)
"""Blocks per axis to which the hierarchical context loss averages."""
WIDEST = 512
"""Most channels of what is handed from stage to stage."""


def _block(ndim: int, inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    convolution = CONVOLUTIONS[ndim](inputs, outputs, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    return nn.Sequential(convolution, NORMS[ndim](outputs))


class AttentionFusion(nn.Module):
    """ABF (Fig. 3b): a student stage, joined with what the deeper stages handed on, in the shape of a teacher stage.

    The stage is brought to ``middle`` channels; two attention maps, one for each, weigh it and the enlarged
    ``handed``; the sum is handed on at the teacher's size, and a 3×3(×3) convolution brings it to the teacher's
    channels. The deepest stage is handed nothing.
    """

    def __init__(self, ndim: int, inputs: int, middle: int, outputs: int, deepest: bool) -> None:
        super().__init__()
        self.entry = _block(ndim, inputs, middle, 1)
        self.attention = None if deepest else nn.Sequential(CONVOLUTIONS[ndim](2 * middle, 2, 1), nn.Sigmoid())
        self.exit = _block(ndim, middle, outputs, 3)

    def forward(self, stage: Tensor, handed: Tensor | None, size: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Turn a stage ``(B, inputs, *space)`` into maps ``(B, outputs, *size)`` to compare and others to hand on.

        What is handed on is ``(B, middle, *size)``; ``handed`` is what the deeper stages gave, of any size.
        """
        joined = self.entry(stage)
        if self.attention is not None and handed is not None:
            handed = functional.interpolate(handed, stage.shape[2:], mode="nearest")
            own, other = self.attention(torch.cat([joined, handed], dim=1)).split(1, dim=1)
            joined = own * joined + other * handed
        if joined.shape[2:] != size:
            joined = functional.interpolate(joined, size, mode="nearest")
        return self.exit(joined), joined


def hierarchical_context(student: Tensor, teacher: Tensor) -> Tensor:
    """HCL: mean squared difference of maps ``(B, C, *space)``, and of their averages over 4, 2 and 1 blocks per axis.

    Weighted 1, 1/2, 1/4, 1/8 and divided by the sum of weights, as in the authors' code. An axis shorter than a level
    is left as it is; a level that changes no axis is left out.
    """
    loss, weight, total = functional.mse_loss(student, teacher), 1.0, 1.0
    for level in LEVELS:
        size = tuple(min(level, pixels) for pixels in student.shape[2:])
        if size == student.shape[2:]:
            continue
        weight /= 2
        total += weight
        loss = loss + weight * functional.mse_loss(pooled(student, size), pooled(teacher, size))
    return loss / total


class KnowledgeReview(Distiller):
    """The student's stages, fused from the bottleneck up, shall be the teacher's: ``{"review": Σ_j HCL(ABF_j, T_j)}``.

    Needs ``stages`` of both networks, paired by relative depth (``stages.aligned``); fused stages take the teacher's
    numbers of channels and pixels. The fusion modules are trained along with the student (their parameters must go
    to the optimiser), run in its precision, are part of this module's state and are not needed afterwards. They
    start from PyTorch's global generator, as networks do. The authors let the weight of this term rise during the
    first 20 epochs; that is left to whoever weighs it. Needs no labels. No gradient reaches the teacher.

    Parameters
    ----------
    student, teacher : channels of the networks' stages, bottleneck first, one or more, else ``UserError``
    ndim : 2 for images, 3 for volumes, else ``UserError``
    """

    compares_stages = True

    def __init__(self, student: Sequence[int], teacher: Sequence[int], ndim: int) -> None:
        super().__init__()
        if not (student and teacher) or ndim not in CONVOLUTIONS:
            raise UserError(
                f"stages: got {list(student)} and {list(teacher)} channels in {ndim} dimensions, "
                "expected one stage or more of both in 2 or 3; use networks whose features have stages"
            )
        pairs = aligned(len(student), len(teacher))
        middle = min(WIDEST, student[0])
        self.fusions = nn.ModuleList(
            AttentionFusion(ndim, student[s], middle, teacher[t], deepest=k == 0) for k, (s, t) in enumerate(pairs)
        )

    @classmethod
    def from_setup(cls, setup: Setup) -> KnowledgeReview:
        """Fusion modules for the stages of the two networks; raises ``UserError`` where one has none."""
        assert setup.teacher is not None
        student, teacher = (stage_channels(network, setup.patch) for network in (setup.student, setup.teacher))
        return cls(student, teacher, len(setup.patch))

    def forward(self, student: Output, teacher: Output) -> dict[str, Tensor]:
        """Compare the stages of two outputs for the same images.

        Raises ``UserError`` for other numbers of stages than expected, and in training for a stage that is a single
        pixel in all, of which there is no variance.
        """
        pairs = stage_pairs(student, teacher)
        if len(pairs) != len(self.fusions):
            raise UserError(
                f"stages: got {len(pairs)} pairs, expected {len(self.fusions)}; make the loss with from_setup"
            )
        if self.training and any(len(maps) * math.prod(maps.shape[2:]) == 1 for pair in pairs for maps in pair):
            raise UserError(
                "stages: got one of a single pixel in a batch of one image, expected more; take larger patches"
            )
        total, handed = pairs[0][0].new_zeros(()), None
        for fusion, (stage, target) in zip(self.fusions, pairs, strict=True):
            fused, handed = fusion(stage, handed, tuple(target.shape[2:]))
            total = total + hierarchical_context(at_least_float32(fused), target)
        return {"review": total}

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """The same of a training step."""
        return self(lesson.student, lesson.output())
