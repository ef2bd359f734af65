"""The instance graph's nodes, against loops over instances."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from segraft.graphs.instances import batch_nodes, instance_nodes

SPACES = ((6, 7), (3, 4, 5))


def brute_nodes(embedding: Tensor, labels: Tensor) -> Tensor:
    """One image: mean of the pixels of each id above 0, in id order."""
    ids = sorted({int(i) for i in labels.flatten() if i > 0})
    rows = [embedding[:, labels == i].mean(1) for i in ids]
    return torch.stack(rows) if rows else embedding.new_zeros(0, len(embedding))


def random_case(seed: int, ids: list[int], space: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(2, 3, *space, generator=generator, dtype=torch.float64)
    return embedding, torch.tensor(ids)[torch.randint(len(ids), (2, *space), generator=generator)]


@pytest.mark.parametrize("space", SPACES)
@given(seed=st.integers(0, 1000), ids=st.lists(st.sampled_from([-1, 0, 1, 2, 5, 40, 2**40]), min_size=1, max_size=5))
def test_nodes_equal_loops(space: tuple[int, ...], seed: int, ids: list[int]) -> None:
    embedding, labels = random_case(seed, ids, space)
    nodes, present = batch_nodes(embedding, labels)
    for b in range(2):
        wanted = brute_nodes(embedding[b], labels[b])
        torch.testing.assert_close(nodes[b, present[b]], wanted)
        torch.testing.assert_close(instance_nodes(embedding[b], labels[b]), wanted)
    assert not nodes[~present].any()


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("ids", [[0, 1, 2], [-1, 3, 2**40]])
def test_nodes_have_the_right_derivative(space: tuple[int, ...], ids: list[int]) -> None:
    embedding, labels = random_case(0, ids, space)
    assert torch.autograd.gradcheck(lambda e: batch_nodes(e, labels)[0], (embedding.requires_grad_(),))


@given(st.integers(0, 1000), st.permutations(range(1, 7)))
def test_numbers_of_the_instances_do_not_matter(seed: int, renumbered: list[int]) -> None:
    embedding, labels = random_case(seed, [0, 1, 2, 3, 4, 5, 6], (8, 9))
    table = torch.tensor([0, *renumbered])
    nodes, present = batch_nodes(embedding, labels)
    others, others_present = batch_nodes(embedding, table[labels])
    order = torch.tensor(renumbered) - 1
    torch.testing.assert_close(others[:, order], nodes)
    assert torch.equal(others_present[:, order], present)


def test_image_without_instances_has_no_nodes() -> None:
    embedding = torch.randn(2, 3, 4, 4, requires_grad=True)
    nodes, present = batch_nodes(embedding, torch.tensor([0, -1]).view(2, 1, 1).expand(2, 4, 4))
    assert nodes.shape == (2, 0, 3)
    assert present.shape == (2, 0)
    assert instance_nodes(embedding[0], torch.zeros(4, 4, dtype=torch.long)).shape == (0, 3)
    nodes.sum().backward()
    assert embedding.grad is not None
    assert not embedding.grad.any()


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_any_signed_integer_labels_will_do(dtype: torch.dtype) -> None:
    embedding, labels = random_case(1, [0, 1, 9, 120], (6, 6))
    torch.testing.assert_close(batch_nodes(embedding, labels.to(dtype)), batch_nodes(embedding, labels))


def test_huge_numbers_take_no_room() -> None:
    embedding, labels = random_case(2, [0, 7, 2**62], (5, 5))
    assert batch_nodes(embedding, labels)[0].shape == (2, 2, 3)


@pytest.mark.parametrize(("given", "wanted"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
def test_means_are_taken_in_single_precision_or_better(given: torch.dtype, wanted: torch.dtype) -> None:
    embedding = torch.ones(1, 2, 64, 64).to(given)  # bfloat16 counts to 256 only
    nodes = instance_nodes(embedding[0], torch.ones(64, 64, dtype=torch.long))
    assert nodes.dtype == wanted
    assert torch.equal(nodes, torch.ones(1, 2, dtype=wanted))
