"""The affinity graph, against loops over pixels, in 2-D and 3-D."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.affinity import embedding_affinities, label_affinities, pairs, unit_affinities
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D, OFFSETS_3D_LONG
from segraft.types import Offsets

OFFSETS_ODD: Offsets = ((-1, 0), (0, -3), (2, 0), (1, -2), (-2, -2), (0, 40), (0, 0))
"""Both directions, diagonals, longer than the image, and none at all."""
SPACES = {2: (5, 6), 3: (3, 4, 5)}
CASES = [(SPACES[2], OFFSETS_2D), (SPACES[2], OFFSETS_ODD), (SPACES[3], OFFSETS_3D), (SPACES[3], OFFSETS_3D_LONG)]


def partners(space: tuple[int, ...], offset: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """All (p, p + offset) inside the image."""
    found = []
    for p in itertools.product(*map(range, space)):
        q = tuple(a + b for a, b in zip(p, offset, strict=True))
        if all(0 <= a < size for a, size in zip(q, space, strict=True)):
            found.append((p, q))
    return found


def brute_affinities(embedding: Tensor, offsets: Offsets) -> Tensor:
    space = tuple(embedding.shape[2:])
    result = embedding.new_zeros(embedding.shape[0], len(offsets), *space)
    for b, (n, offset) in itertools.product(range(len(embedding)), enumerate(offsets)):
        for p, q in partners(space, offset):
            e, f = embedding[(b, slice(None), *p)], embedding[(b, slice(None), *q)]
            result[(b, n, *p)] = e @ f / (e.norm() * f.norm())
    return result


@pytest.mark.parametrize(("space", "offsets"), CASES)
def test_affinities_and_gradients_equal_the_formula(space: tuple[int, ...], offsets: Offsets) -> None:
    embedding = torch.randn(2, 3, *space, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, len(offsets), *space, dtype=torch.float64)
    results = embedding_affinities(embedding, offsets), brute_affinities(embedding, offsets)
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*(torch.autograd.grad((r * weight).sum(), embedding)[0] for r in results))


@pytest.mark.parametrize(("space", "offsets"), CASES)
def test_pairs_are_counted(space: tuple[int, ...], offsets: Offsets) -> None:
    assert pairs(space, offsets) == sum(len(partners(space, offset)) for offset in offsets)


@pytest.mark.parametrize("offsets", [((-1, 0), (0, -3), (2, 1), (0, 9)), ((-1, 0, 0), (0, 2, -1))])
def test_affinities_have_the_right_derivative(offsets: Offsets) -> None:
    space = SPACES[len(offsets[0])]
    embedding = torch.randn(1, 2, *space, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: embedding_affinities(e, offsets), (embedding,))
    assert torch.autograd.gradcheck(lambda e: unit_affinities(e, offsets), (embedding,))


@pytest.mark.parametrize("layout", ["channels_last", "transposed"])
def test_memory_layout_does_not_matter(layout: str) -> None:
    plain = torch.randn(2, 4, 7, 7)
    other = plain.to(memory_format=torch.channels_last) if layout == "channels_last" else plain.mT.contiguous().mT
    plain.requires_grad_()
    other.requires_grad_()
    weight = torch.randn(2, len(OFFSETS_2D), 7, 7).mT
    results = [unit_affinities(vectors, OFFSETS_2D) for vectors in (plain, other)]
    assert torch.equal(*results)
    gradients = [torch.autograd.grad((r * weight).sum(), v)[0] for r, v in zip(results, (plain, other), strict=True)]
    assert torch.equal(*gradients)


def test_offsets_longer_than_the_image_give_zero() -> None:
    embedding = torch.randn(1, 3, 4, 4, requires_grad=True)
    result = embedding_affinities(embedding, ((-4, 0), (0, 9), (-27, -27)))
    result.sum().backward()
    assert not result.any()
    assert embedding.grad is not None
    assert not embedding.grad.any()
    _, valid = label_affinities(torch.ones(1, 4, 4, dtype=torch.long), ((-4, 0), (0, 9)))
    assert not valid.any()


@given(st.integers(0, 1000))
def test_affinities_are_cosines(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    embedding = torch.randn(1, 4, 6, 5, generator=generator, dtype=torch.float64)
    scale = 0.1 + torch.rand(1, 1, 6, 5, generator=generator, dtype=torch.float64)
    result = embedding_affinities(embedding, OFFSETS_2D)
    assert result.abs().max() <= 1 + 1e-12
    torch.testing.assert_close(embedding_affinities(scale * embedding, OFFSETS_2D), result)
    back = tuple((-dy, -dx) for dy, dx in OFFSETS_2D)
    mirrored = embedding_affinities(embedding.flip(2, 3), back).flip(2, 3)
    torch.testing.assert_close(mirrored, result)


def test_half_precision_is_widened() -> None:
    embedding = torch.randn(1, 4, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = embedding_affinities(embedding, OFFSETS_2D)
    assert torch.equal(result, embedding_affinities(embedding, OFFSETS_2D))
    assert embedding_affinities(embedding.bfloat16(), OFFSETS_2D).dtype == torch.float32
    assert embedding_affinities(embedding.double(), OFFSETS_2D).dtype == torch.float64


@pytest.mark.parametrize("background", ["object", "separate"])
@pytest.mark.parametrize("ndim", [2, 3])
@given(data=st.data())
def test_label_affinities_equal_loops(background: str, ndim: int, data: st.DataObject) -> None:
    space = tuple(data.draw(st.lists(st.integers(1, 4), min_size=ndim, max_size=ndim)))
    ids = st.sampled_from([-1, 0, 1, 2, 2**40])
    count = math.prod(space)
    labels = torch.tensor(data.draw(st.lists(ids, min_size=count, max_size=count))).view(1, *space)
    offsets = ((-1, 0), (0, 2), (1, -1)) if ndim == 2 else OFFSETS_3D
    affinities, valid = label_affinities(labels, offsets, background)
    wanted, defined = torch.zeros_like(affinities), torch.zeros_like(valid)
    for n, offset in enumerate(offsets):
        for p, q in partners(space, offset):
            a, b = int(labels[(0, *p)]), int(labels[(0, *q)])
            defined[(0, n, *p)] = a != -1 and b != -1
            together = a == b and a != -1 and (a > 0 or background == "object")
            wanted[(0, n, *p)] = float(together)
    assert torch.equal(affinities, wanted)
    assert torch.equal(valid, defined)


def test_unknown_background_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"unknown background 'seperate'; known: object, separate; .*'separate'"):
        label_affinities(torch.zeros(1, 4, 4, dtype=torch.long), OFFSETS_2D, "seperate")


def test_offsets_are_those_of_the_paper() -> None:
    assert tuple(o for k in (1, 3, 5, 9, 27) for o in ((-k, 0), (0, -k))) == OFFSETS_2D
    assert OFFSETS_3D == ((-1, 0, 0), (0, -1, 0), (0, 0, -1))
    assert len(OFFSETS_3D_LONG) == 12
    assert OFFSETS_3D_LONG[:3] == OFFSETS_3D
