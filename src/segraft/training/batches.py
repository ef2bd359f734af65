"""Batches in the order of training steps, whatever the number of workers and whenever training resumes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from segraft.training.mixture import Mixture
from segraft.training.patches import Patches
from segraft.training.pool import Pool


class Batches(IterableDataset[tuple[Tensor, ...]]):
    """Batches of steps ``start`` to ``stop``: images ``(B, C, *patch)``, labels ``(B, *patch)``, and what a pool adds.

    ``size`` is that of one rank: step s of rank r holds patches ``(s · ranks + r) · size`` onwards. Worker w of W
    prepares every W-th step, which the loader takes in turn.
    """

    def __init__(
        self, patches: Patches | Mixture | Pool, size: int, start: int, stop: int, rank: int = 0, ranks: int = 1
    ) -> None:
        self.patches, self.size, self.start, self.stop, self.rank, self.ranks = (
            patches,
            size,
            start,
            stop,
            rank,
            ranks,
        )

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        worker = get_worker_info()
        first, every = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self.start + first, self.stop, every):
            begin = (step * self.ranks + self.rank) * self.size
            drawn = (self.patches[k] for k in range(begin, begin + self.size))
            yield tuple(map(torch.stack, zip(*drawn, strict=True)))
