"""Knowledge review, a baseline (Chen et al., CVPR 2021, arXiv 2104.09044): deep stages help to mimic shallower ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from segraft.errors import UserError
from segraft.graphs.embedding import exact
from segraft.losses.stages import aligned, pooled, stage_channels, stage_pairs
from segraft.tensors import Affinities, Embedding, Labels, Output
from segraft.types import Offsets

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
        """Return maps ``(B, outputs, *size)`` to compare and ``(B, middle, *size)`` to hand on."""
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


class KnowledgeReview(nn.Module):
    """The student's stages, fused from the bottleneck up, shall be the teacher's: ``{"review": Σ_j HCL(ABF_j, T_j)}``.

    Needs ``stages`` of both networks, paired by relative depth (``stages.aligned``); fused stages take the teacher's
    numbers of channels and pixels. The fusion modules are trained along with the student (their parameters must go
    to the optimiser), run in its precision, are part of this module's state and are not needed afterwards. They
    start from PyTorch's global generator, as networks do. The authors let the weight of this term rise during the
    first 20 epochs; that is left to whoever weighs it. Labels are not used. No gradient reaches the teacher.

    Parameters
    ----------
    student, teacher : channels of the networks' stages, bottleneck first
    ndim : 2 for images, 3 for volumes
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int], ndim: int) -> None:
        super().__init__()
        if not (student and teacher) or ndim not in CONVOLUTIONS:
            raise UserError(
                f"stages of {list(student)} and {list(teacher)} channels in {ndim} dimensions; "
                "wanted one or more stages of both in 2 or 3; use networks whose features have stages"
            )
        pairs = aligned(len(student), len(teacher))
        middle = min(WIDEST, student[0])
        self.fusions = nn.ModuleList(
            AttentionFusion(ndim, student[s], middle, teacher[t], deepest=k == 0) for k, (s, t) in enumerate(pairs)
        )

    @classmethod
    def for_networks(
        cls, student: nn.Module, teacher: nn.Module, patch: tuple[int, ...], offsets: Offsets
    ) -> KnowledgeReview:
        """Fusion modules for the stages of two networks; ``patch`` is a size of image that both can take."""
        return cls(stage_channels(student, patch), stage_channels(teacher, patch), len(patch))

    def forward(
        self,
        student: Output,
        teacher: Output,
        labels: Labels,
        affinities: Affinities | None = None,
        units: Embedding | None = None,
    ) -> dict[str, Tensor]:
        """Compare the stages of two outputs for the same images."""
        pairs = stage_pairs(student, teacher)
        if len(pairs) != len(self.fusions):
            raise UserError(f"{len(pairs)} pairs of stages came, {len(self.fusions)} were expected; use for_networks")
        if self.training and any(len(maps) * math.prod(maps.shape[2:]) == 1 for pair in pairs for maps in pair):
            raise UserError("a stage has a single pixel in a batch of one image; wanted more; take larger patches")
        total, handed = pairs[0][0].new_zeros(()), None
        for fusion, (stage, target) in zip(self.fusions, pairs, strict=True):
            fused, handed = fusion(stage, handed, tuple(target.shape[2:]))
            total = total + hierarchical_context(exact(fused), target)
        return {"review": total}
