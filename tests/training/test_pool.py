"""A pool's order: each entry once in every pass, by the seed and the pass alone."""

from __future__ import annotations

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from segraft.training.batches import Batches
from segraft.training.entries import Entries
from segraft.training.pool import Pool

SIZE = 5


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Entries, ...]:
    """Entry n is full of n."""
    folder = tmp_path_factory.mktemp("pool")
    patches, outputs = Entries(folder / "patches", ("image", "labels")), Entries(folder / "outputs", ("embedding",))
    for n in range(SIZE):
        patches.write(n, {"image": torch.full((1, 2, 2), float(n)), "labels": torch.full((2, 2), n).int()})
        outputs.write(n, {"embedding": torch.full((3, 2, 2), n).half()})
    return patches, outputs


def numbers(pool: Pool, count: int, begin: int = 0) -> list[int]:
    return [int(pool[k][1][0, 0]) for k in range(begin, begin + count)]


@given(seed=st.integers(0, 2**31))
def test_every_pass_takes_each_entry_once(parts: tuple[Entries, ...], seed: int) -> None:
    pool = Pool(parts, SIZE, seed)
    for turn in range(3):
        assert sorted(numbers(pool, SIZE, turn * SIZE)) == list(range(SIZE))


def test_passes_and_seeds_differ(parts: tuple[Entries, ...]) -> None:
    orders = {tuple(numbers(Pool(parts, SIZE, seed), SIZE, turn * SIZE)) for seed in range(4) for turn in range(4)}
    assert len(orders) > 10


def test_the_parts_of_an_entry_belong_together(parts: tuple[Entries, ...]) -> None:
    for k in range(2 * SIZE):
        image, labels, embedding = Pool(parts, SIZE, 3)[k]
        assert (image.dtype, labels.dtype, embedding.dtype) == (torch.float32, torch.int64, torch.float16)
        assert len(set(image.flatten().tolist() + labels.flatten().tolist() + embedding.flatten().tolist())) == 1


def test_a_smaller_pool_is_the_beginning_of_a_larger_one(parts: tuple[Entries, ...]) -> None:
    assert sorted(numbers(Pool(parts, 3, 0), 3)) == [0, 1, 2]


@pytest.mark.filterwarnings("ignore:This DataLoader will create", "ignore:This process .* is multi-threaded")
@pytest.mark.parametrize(("workers", "start"), [(0, 3), (2, 0), (2, 3)])
def test_workers_and_a_later_start_change_nothing(parts: tuple[Entries, ...], workers: int, start: int) -> None:
    pool = pickle.loads(pickle.dumps(Pool(parts, SIZE, 1)))
    every = [[each.tolist() for each in batch] for batch in Batches(pool, 2, 0, 6)]
    loader = DataLoader(Batches(pool, 2, start, 6), batch_size=None, num_workers=workers)
    assert [[each.tolist() for each in batch] for batch in loader] == every[start:]
