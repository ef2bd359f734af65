"""Attention transfer: against its equation with loops, derivatives, laws, golden values."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from segraft.losses import AttentionTransfer
from segraft.tensors import Output

GOLDEN = Path(__file__).parents[1] / "golden"
FEWER = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loss(student: Output, teacher: Output) -> torch.Tensor:
    return AttentionTransfer()(student, teacher)["attention"]


def block(cell: int, cells: int, pixels: int) -> slice:
    """Pixels that are averaged to one of ``cells`` cells of an axis."""
    return slice(cell * pixels // cells, -(-(cell + 1) * pixels // cells))


def brute_map(features: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Attention of one image ``(C, *space)``, cell by cell."""
    found = []
    for cell in itertools.product(*map(range, size)):
        slices = [block(c, n, pixels) for c, n, pixels in zip(cell, size, features.shape[1:], strict=True)]
        pixels = features[:, *slices].reshape(len(features), -1).T
        found.append(np.mean([sum(value**2 for value in pixel) / len(pixel) for pixel in pixels]))
    return np.array(found) / np.sqrt(sum(value**2 for value in found))


def brute(student: Output, teacher: Output) -> float:
    total = 0.0
    for s, t in zip(student.stages, teacher.stages, strict=True):
        size = tuple(map(min, s.shape[2:], t.shape[2:]))
        errors = [
            (p - q) ** 2
            for image, target in zip(s.detach().numpy(), t.numpy(), strict=True)
            for p, q in zip(brute_map(image, size), brute_map(target, size), strict=True)
        ]
        total += sum(errors) / len(errors)
    return total


@pytest.mark.parametrize("sizes", [(2, 5), (3, 4), (1, 7)])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_loss_equals_its_equation(made_up, ndim: int, sizes: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim), made_up(ndim, channels=(4, 5), seed=1, sizes=sizes)
    assert loss(student, teacher).item() == pytest.approx(brute(student, teacher), rel=1e-12)
    assert loss(student, teacher) > 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_derivatives_are_right(made_up, ndim: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim), made_up(ndim, channels=(4, 5), seed=1, sizes=(3, 4))
    stages = tuple(stage.requires_grad_() for stage in student.stages)
    assert torch.autograd.gradcheck(lambda *s: loss(student._replace(stages=s), teacher), stages, fast_mode=True)


@FEWER
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100), other=st.floats(0.01, 100))
def test_scale_and_sign_do_not_matter(made_up, seed: int, factor: float, other: float) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2, seed=seed), made_up(2, channels=(4, 5), seed=seed + 1)
    louder = student._replace(stages=tuple(-factor * stage for stage in student.stages))
    brighter = teacher._replace(stages=tuple(other * stage for stage in teacher.stages))
    torch.testing.assert_close(loss(louder, brighter), loss(student, teacher))


def test_order_and_number_of_channels_do_not_matter(made_up) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(3), made_up(3, channels=(4, 5), seed=1)
    twice = teacher._replace(stages=tuple(torch.cat([stage, stage.flip(1)], dim=1) for stage in teacher.stages))
    torch.testing.assert_close(loss(student, twice), loss(student, teacher))
    torch.testing.assert_close(loss(teacher, twice), torch.zeros((), dtype=torch.float64))


def test_stages_without_activity_are_compared_as_zero(made_up) -> None:  # type: ignore[no-untyped-def]
    """A teacher's map has length 1: against nothing, the mean over images and pixels is 1 / pixels."""
    teacher = made_up(2)
    student = teacher._replace(stages=tuple(torch.zeros_like(stage, requires_grad=True) for stage in teacher.stages))
    value = loss(student, teacher)
    assert value.item() == pytest.approx(1 / 6 + 1 / 30)
    assert not any(gradient.any() for gradient in torch.autograd.grad(value, student.stages))


@pytest.mark.parametrize("ndim", [2, 3])
def test_golden_values_and_gradients(ndim: int) -> None:
    golden, results = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))["results"]()
    for key in (f"{ndim}d/attention", f"{ndim}d/attention.gradient"):
        torch.testing.assert_close(results[key], golden[key], rtol=1e-9, atol=1e-14)
        assert golden[key].any()
