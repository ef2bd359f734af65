"""The stages of two networks side by side: what distillation from intermediate layers compares.

Stages are the maps ``(B, C, *space)`` of ``network.features(x)``, bottleneck first. Student and teacher may have
different numbers of them, of channels and of pixels. Both see the same images. Stages of padded networks cover the
whole image; those of valid ones lack margins that depend on their depth, and what is left is compared as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from segraft.errors import UserError
from segraft.graphs.embedding import at_least_float32
from segraft.networks.contract import Network, meta_input, skeleton
from segraft.tensors import Output

POOLS: dict[int, Any] = {2: functional.adaptive_avg_pool2d, 3: functional.adaptive_avg_pool3d}


def aligned(student: int, teacher: int) -> list[tuple[int, int]]:
    """Pair the stages of two networks by relative depth: indices (student's, teacher's), bottleneck first.

    Bottleneck meets bottleneck and last stage last stage. All stages of the network that has fewer take part; of the
    other one those nearest to the same relative depth. A single stage meets the bottleneck.
    """
    count = min(student, teacher)
    steps = max(1, count - 1)

    def spread(stages: int) -> list[int]:
        return [(2 * k * (stages - 1) + steps) // (2 * steps) for k in range(count)]

    return list(zip(spread(student), spread(teacher), strict=True))


def stage_pairs(student: Output, teacher: Output) -> list[tuple[Tensor, Tensor]]:
    """Stages to compare (student's, teacher's), bottleneck first, in float32 at least, the teacher's detached.

    Raises ``UserError`` where there are none, and where they belong to different images.
    """
    if not (student.stages and teacher.stages):
        raise UserError(
            f"stages: got {len(student.stages)} of the student, {len(teacher.stages)} of the teacher, "
            "expected some of both; call network.features(image) in place of network(image)"
        )
    pairs = [
        (at_least_float32(student.stages[s]), at_least_float32(teacher.stages[t].detach()))
        for s, t in aligned(len(student.stages), len(teacher.stages))
    ]
    for stage, target in pairs:
        if len(stage) != len(target) or stage.ndim != target.ndim or stage.ndim - 2 not in POOLS:
            raise UserError(
                f"stages: got {tuple(stage.shape)} of the student, {tuple(target.shape)} of the teacher, "
                "expected (batch, channels, *space) twice; compare the same images"
            )
    return pairs


def stage_channels(network: Network, patch: tuple[int, ...]) -> list[int]:
    """Channels of a network's stages, bottleneck first; computes nothing. ``patch`` is a size of image in pixels."""
    with torch.no_grad():
        output = skeleton(network).features(meta_input(network, network.geometry.input_size(patch)))
    return [stage.shape[1] for stage in output.stages]


def pooled(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Average maps ``(B, C, *space)`` over a grid of ``size`` blocks, which may overlap by a pixel; 2-D and 3-D."""
    return maps if maps.shape[2:] == size else POOLS[len(size)](maps, size)
