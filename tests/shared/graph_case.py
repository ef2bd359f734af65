"""Images to compare by graph relations: current ones of a student and its teacher, and remembered ones."""

from __future__ import annotations

import torch
from torch import Tensor

from segraft.graphs.memory_bank import MemoryBank
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses import GraphRelationLoss

TERMS = ("intra_node", "intra_edge", "intra_affinity", "inter_edge", "inter_affinity")
SPACES = {2: (5, 4), 3: (2, 3, 3)}
OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D}
DIM = 4


class Case:
    """Two current and two remembered images; the second current image may have no instances."""

    def __init__(self, ndim: int, seed: int = 0, lonely: bool = False, dtype: torch.dtype = torch.float64) -> None:
        generator = torch.Generator().manual_seed(seed)
        space = SPACES[ndim]
        self.offsets = OFFSETS[ndim]
        maps = torch.randn(3, 2, DIM, *space, generator=generator, dtype=torch.float64)
        self.student, self.teacher, self.remembered = maps.to(dtype).unbind()
        self.student.requires_grad_()
        self.labels, self.old_labels = torch.randint(-1, 5, (2, 2, *space), generator=generator).unbind()
        if lonely:
            self.labels[1] = 0
            self.old_labels[0].clamp_max_(0)

    def loss(self, push_first: bool = True, samples: int = 99) -> GraphRelationLoss:
        loss = GraphRelationLoss(self.offsets, MemoryBank(8, DIM), samples)
        if push_first:
            loss.memory.push(self.remembered, self.old_labels)
        return loss

    def terms(self) -> dict[str, Tensor]:
        return self.loss()(self.student, self.teacher, self.labels)
