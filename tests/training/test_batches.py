"""Batches depend on the step alone."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from segraft.training.batches import Batches
from segraft.training.patches import Patches

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


class Numbers(Patches):
    """Patch k is full of k."""

    def __init__(self) -> None:
        pass

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        return torch.full((1, 2, 2), float(k)), torch.full((2, 2), k)


def drawn(workers: int = 0, start: int = 0, stop: int = 6, rank: int = 0, ranks: int = 1) -> list[list[int]]:
    """Patch numbers of each batch, as the loader gives them."""
    loader = DataLoader(Batches(Numbers(), 2, start, stop, rank, ranks), batch_size=None, num_workers=workers)
    batches = list(loader)
    for image, labels in batches:
        assert image.shape == (2, 1, 2, 2)
        assert labels.shape == (2, 2, 2)
        assert torch.equal(image[:, 0].long(), labels)
    return [labels[:, 0, 0].tolist() for _, labels in batches]


def test_steps_take_patches_in_turn() -> None:
    assert drawn() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_number_of_workers_changes_nothing(workers: int) -> None:
    assert drawn(workers) == drawn()


@pytest.mark.parametrize(("workers", "start"), [(0, 1), (0, 5), (2, 3), (2, 4)])
def test_a_later_start_skips_nothing_else(workers: int, start: int) -> None:
    assert drawn(workers, start) == drawn()[start:]


def test_after_the_last_step_there_is_nothing() -> None:
    assert drawn(start=6) == []


def test_ranks_share_what_one_would_take() -> None:
    ranks = [drawn(rank=rank, ranks=3) for rank in range(3)]
    steps = zip(*ranks, strict=True)
    assert [k for batches in steps for batch in batches for k in batch] == list(range(36))


def test_batches_can_be_read_twice() -> None:
    batches = Batches(Numbers(), 2, 0, 6)
    first, second = (next(islice(batches, 3, None))[1] for _ in range(2))
    assert torch.equal(first, second)
