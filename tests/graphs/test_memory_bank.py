"""The memory bank: what it keeps, in which order, and that every rank and every resumed run has the same."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from segraft import ranks
from segraft.errors import UserError
from segraft.graphs.embedding import unit
from segraft.graphs.instances import instance_nodes
from segraft.graphs.memory_bank import INSTANCES, PIXELS, MemoryBank
from shared.ranks import on_ranks

DIM = 4


def numbered(*numbers: int) -> Tensor:
    """Grams that can be told apart."""
    return torch.stack([torch.full((2, DIM, DIM), float(number)) for number in numbers])


def kept(bank: MemoryBank) -> list[int]:
    return [int(gram[0, 0, 0]) for gram in bank.grams[: int(bank.filled)]]


def a_batch(seed: int, images: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(-1, 4, (images, 5, 6), generator=generator)
    return torch.randn(images, DIM, 5, 6, generator=generator), labels


def test_an_image_is_kept_as_the_mean_outer_products_of_its_unit_vectors() -> None:
    bank = MemoryBank(3, DIM)
    embedding, labels = a_batch(0)
    bank.push(embedding, labels)
    for b in range(2):
        pixels = unit(embedding[b], 0).flatten(1).T
        nodes = unit(instance_nodes(embedding[b], labels[b]), -1)
        for which, vectors in ((PIXELS, pixels), (INSTANCES, nodes)):
            wanted = sum(torch.outer(v, v) for v in vectors) / len(vectors)
            torch.testing.assert_close(bank.grams[b, which], wanted)


def test_an_image_without_instances_has_a_zero_second_gram() -> None:
    bank = MemoryBank(2, DIM)
    bank.push(a_batch(0)[0], torch.tensor([0, -1]).view(2, 1, 1).expand(2, 5, 6))
    assert not bank.grams[:, INSTANCES].any()
    assert bank.grams[:, PIXELS].any()


@given(st.integers(1, 5), st.lists(st.integers(1, 12), min_size=1, max_size=6))
def test_the_last_images_are_kept_in_their_slots(size: int, batches: list[int]) -> None:
    bank, pushed = MemoryBank(size, DIM), 0
    for batch in batches:
        bank.push_grams(numbered(*range(pushed, pushed + batch)))
        pushed += batch
        slots = {number % size: number for number in range(pushed)}  # the later overwrites
        assert kept(bank) == [slots[slot] for slot in sorted(slots)]
        assert int(bank.cursor) == pushed
        assert int(bank.filled) == min(pushed, size)


@given(st.integers(0, 9), st.integers(0, 12), st.integers(0, 5))
def test_a_draw_is_without_replacement_and_from_what_is_there(pushed: int, count: int, seed: int) -> None:
    bank = MemoryBank(6, DIM, seed=seed)
    if pushed:
        bank.push_grams(numbered(*range(pushed)))
    drawn = [int(gram[0, 0, 0]) for gram in bank.sample(count)]
    assert len(drawn) == len(set(drawn)) == min(count, pushed, 6)
    assert set(drawn) <= set(range(max(0, pushed - 6), pushed))


def test_a_draw_depends_on_seed_and_images_pushed_not_on_global_generators() -> None:
    def draws(seed: int) -> list[Tensor]:
        bank, found = MemoryBank(32, DIM, seed), []
        for step in range(20):
            bank.push_grams(numbered(2 * step, 2 * step + 1))
            torch.rand(step)
            found.append(bank.sample(5))
        return found

    first, again, other = draws(0), draws(0), draws(1)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    full = [{int(gram[0, 0, 0]) for gram in draw} for draw in first]
    assert len(set.union(*full)) > 25, "some images are never drawn"


def test_a_draw_is_a_copy() -> None:
    bank = MemoryBank(2, DIM)
    bank.push_grams(numbered(1, 2))
    bank.sample(2).zero_()
    assert kept(bank) == [1, 2]


def test_a_restored_bank_goes_on_as_if_never_stopped() -> None:
    bank = MemoryBank(3, DIM)
    bank.push(*a_batch(0))
    restored = MemoryBank(3, DIM)
    restored.load_state_dict(bank.state_dict())
    for seed in range(1, 4):
        for each in (bank, restored):
            each.push(*a_batch(seed))
        assert torch.equal(bank.grams, restored.grams)
        assert torch.equal(bank.sample(2), restored.sample(2))
    assert set(bank.state_dict()) == {"grams", "filled", "cursor"}


@pytest.mark.parametrize("cast", [nn.Module.half, nn.Module.bfloat16, nn.Module.double])
def test_a_cast_leaves_the_bank_as_it_is(cast) -> None:  # type: ignore[no-untyped-def]
    bank = MemoryBank(3, DIM)
    bank.push(*a_batch(0))
    before = bank.grams.clone()
    cast(nn.Sequential(bank, nn.Linear(2, 2)))
    assert bank.grams.dtype == torch.float32
    assert torch.equal(bank.grams, before)
    assert "grams" in dict(bank.named_buffers())
    bank.push(*a_batch(1))


def test_pushing_takes_any_precision_and_no_gradient() -> None:
    banks = [MemoryBank(2, DIM) for _ in range(3)]
    embedding, labels = a_batch(0)
    for bank, dtype in zip(banks, (torch.float32, torch.float64, torch.bfloat16), strict=True):
        bank.push(embedding.to(dtype).requires_grad_(), labels)
        assert bank.grams.dtype == torch.float32
        assert not bank.grams.requires_grad
    torch.testing.assert_close(banks[0].grams, banks[1].grams)
    torch.testing.assert_close(banks[0].grams, banks[2].grams, rtol=0.05, atol=0.02)


def test_the_bank_of_the_paper_is_small() -> None:
    assert sum(buffer.nbytes for buffer in MemoryBank(32, 16).buffers()) <= 100_000


@pytest.mark.parametrize(("size", "dim"), [(0, 16), (32, 0), (-1, 4)])
def test_a_bank_of_nothing_is_refused(size: int, dim: int) -> None:
    with pytest.raises(UserError, match=f"got size {size} and dim {dim}, expected at least 1"):
        MemoryBank(size, dim)


STEPS = 3


def on_a_rank() -> dict[str, Tensor]:
    """Push other images than the other rank; the bank, and what was drawn from it."""
    bank, drawn = MemoryBank(7, DIM), []
    for step in range(STEPS):
        bank.push(*a_batch(2 * step + ranks.number()))
        drawn.append(bank.sample(3))
    return {**bank.state_dict(), "drawn": torch.cat(drawn)}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_ranks_share_one_bank_and_draw_the_same() -> None:
    first, second = on_ranks(on_a_rank)
    alone, drawn = MemoryBank(7, DIM), []
    for step in range(STEPS):
        batches = a_batch(2 * step), a_batch(2 * step + 1)
        alone.push(*(torch.cat(parts) for parts in zip(*batches, strict=True)))
        drawn.append(alone.sample(3))
    for name, wanted in {**alone.state_dict(), "drawn": torch.cat(drawn)}.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], wanted)
