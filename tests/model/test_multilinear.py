"""What a network costs at any window is known from a few."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.model.multilinear import Multilinear
from segraft.model.torch_runner import TorchRunner
from segraft.networks import NETWORKS, create_network
from shared.networks import SMALL_FILTERS


@cache
def runner(name: str) -> tuple[TorchRunner, Multilinear]:
    original = TorchRunner(create_network(name, 1, 4, SMALL_FILTERS[name]))
    return original, Multilinear.of(lambda window: original.complexity(window)[1], original.geometry)


@given(st.sampled_from(list(NETWORKS)), st.lists(st.integers(0, 40), min_size=3, max_size=3))
def test_multiply_adds_are_exact(name: str, counts: list[int]) -> None:
    original, macs = runner(name)
    geometry = original.geometry
    axes = zip(geometry.minimum, geometry.stride, counts, strict=False)
    window = tuple(least + count * stride for least, stride, count in axes)
    assert macs.at(window) == original.complexity(window)[1]


@given(st.lists(st.integers(-9, 9), min_size=4, max_size=4), st.tuples(*[st.integers(1, 500)] * 2))
def test_any_function_that_is_affine_in_each_side(factors: list[int], window: tuple[int, int]) -> None:
    def cost(sides: tuple[int, ...]) -> int:
        y, x = sides
        return factors[0] + factors[1] * y + factors[2] * x + factors[3] * y * x

    assert Multilinear.of(cost, runner("resunet-tiny")[0].geometry).at(window) == cost(window)


@pytest.mark.parametrize(
    ("near", "far", "values"),
    [((1, 2), (3, 2), (1, 1, 1, 1)), ((1, 2), (3,), (1, 1)), ((1, 2), (3, 4), (1, 1, 1))],
)
def test_corners_that_span_no_box(near: tuple[int, ...], far: tuple[int, ...], values: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match="expected one per corner of a box"):
        Multilinear(near, far, values)
