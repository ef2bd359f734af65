"""Unit vectors and Gram matrices: against loops, derivatives, precision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segraft.graphs.embedding import EPSILON, at_least_float32, gram, unit


def test_unit_equals_the_formula() -> None:
    vectors = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    result = unit(vectors)
    for b in range(2):
        for y in range(4):
            for x in range(5):
                e = vectors[b, :, y, x].tolist()
                length = math.sqrt(sum(v * v for v in e))
                assert result[b, :, y, x].tolist() == pytest.approx([v / length for v in e], rel=1e-12)


@pytest.mark.parametrize("dim", [1, -1, 0])
def test_unit_has_the_right_derivative(dim: int) -> None:
    vectors = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: unit(v, dim), (vectors,))


def test_unit_below_the_smallest_length_divides_by_it() -> None:
    vectors = (torch.randn(1, 3, 4, dtype=torch.float64) * EPSILON / 100).requires_grad_()
    torch.testing.assert_close(unit(vectors), vectors / EPSILON)
    (gradient,) = torch.autograd.grad(unit(vectors).sum(), vectors)
    torch.testing.assert_close(gradient, torch.full_like(gradient, 1 / EPSILON))


def test_a_zero_vector_has_a_finite_gradient() -> None:
    vectors = torch.zeros(1, 3, 2, requires_grad=True)
    unit(vectors).sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
    assert not unit(vectors).any()


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_scale_does_not_matter_and_length_is_one(seed: int, factor: float) -> None:
    vectors = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(unit(factor * vectors), unit(vectors))
    torch.testing.assert_close(unit(vectors).norm(dim=1), torch.ones(2, 6, dtype=torch.float64))


@pytest.mark.parametrize("layout", ["channels_last", "transposed", "strided"])
def test_memory_layout_does_not_matter(layout: str) -> None:
    plain = torch.randn(2, 4, 6, 6)
    other = {
        "channels_last": plain.to(memory_format=torch.channels_last),
        "transposed": plain.mT.contiguous().mT,
        "strided": plain.repeat_interleave(2, dim=-1)[..., ::2],
    }[layout].requires_grad_()
    assert not other.is_contiguous()
    plain.requires_grad_()
    weight = torch.randn(2, 4, 6, 6)
    for vectors in (plain, other):
        (unit(vectors) * weight).sum().backward()
    assert torch.equal(unit(plain), unit(other))
    assert torch.equal(plain.grad, other.grad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_precision_is_at_least_single(given: torch.dtype, wanted: torch.dtype) -> None:
    vectors = torch.randn(2, 3, 50).to(given).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        results = at_least_float32(vectors), unit(vectors), gram(vectors)
        torch.autograd.backward(results[1:], [torch.ones_like(r) for r in results[1:]])
    assert all(result.dtype == wanted for result in results)
    torch.testing.assert_close(results[2].double(), vectors.double() @ vectors.double().mT, rtol=1e-5, atol=1e-4)
    assert vectors.grad is not None
    assert vectors.grad.dtype == given


def test_gram_equals_loops() -> None:
    vectors = torch.randn(3, 5, dtype=torch.float64)
    rows = vectors.tolist()
    products = [[sum(a * b for a, b in zip(left, right, strict=True)) for right in rows] for left in rows]
    torch.testing.assert_close(gram(vectors), torch.tensor(products, dtype=torch.float64))


def test_gram_has_the_right_derivative() -> None:
    vectors = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(gram, (vectors,))


def test_the_derivative_of_gram_is_exact_under_autocast() -> None:
    vectors, weight = torch.randn(4, 30, requires_grad=True), torch.randn(4, 4)
    (wanted,) = torch.autograd.grad((gram(vectors) * weight).sum(), vectors)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,) = torch.autograd.grad((gram(vectors) * weight).sum(), vectors)
    assert torch.equal(found, wanted)
