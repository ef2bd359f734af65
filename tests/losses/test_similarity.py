"""Similarity-preserving distillation: against its equations with loops, derivatives, laws, golden values."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses import SimilarityPreserving
from segraft.losses.distiller import Setup
from segraft.networks import create_network
from segraft.tensors import Output

GOLDEN = Path(__file__).parents[1] / "golden"
FEWER = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loss(student: Output, teacher: Output) -> torch.Tensor:
    return SimilarityPreserving()(student, teacher)["similarity"]


def brute_similarities(features: np.ndarray) -> list[list[float]]:
    """Eqs. 1-3, image by image."""
    rows = []
    for first in features:
        row = [sum(a * b for a, b in zip(first.ravel(), second.ravel(), strict=True)) for second in features]
        length = np.sqrt(sum(value**2 for value in row))
        rows.append([value / length for value in row])
    return rows


def brute(student: Output, teacher: Output) -> float:
    """Eq. 4."""
    total = 0.0
    for s, t in zip(student.stages, teacher.stages, strict=True):
        found, wanted = brute_similarities(s.detach().numpy()), brute_similarities(t.numpy())
        images = range(len(found))
        total += sum((wanted[i][j] - found[i][j]) ** 2 for i in images for j in images) / len(found) ** 2
    return total


@pytest.mark.parametrize("batch", [2, 5])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_loss_equals_its_equation(made_up, ndim: int, batch: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim, batch=batch), made_up(ndim, (4, 5), seed=1, sizes=(1, 3), batch=batch)
    assert loss(student, teacher).item() == pytest.approx(brute(student, teacher), rel=1e-12)
    assert loss(student, teacher) > 0


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("ndim", [2, 3])
def test_derivatives_are_right(made_up, ndim: int, batch: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim, batch=batch), made_up(ndim, (4, 5), seed=1, sizes=(3, 4), batch=batch)
    stages = tuple(stage.requires_grad_() for stage in student.stages)
    assert torch.autograd.gradcheck(lambda *s: loss(student._replace(stages=s), teacher), stages, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_single_image_is_like_itself_only(made_up, dtype: torch.dtype) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2, batch=1), made_up(2, (4, 5), seed=1, batch=1)
    stages = tuple(stage.to(dtype).requires_grad_() for stage in student.stages)
    value = loss(student._replace(stages=stages), teacher._replace(stages=tuple(s.to(dtype) for s in teacher.stages)))
    assert value.item() == pytest.approx(0, abs=1e-12)
    for gradient in torch.autograd.grad(value, stages):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-12)


@FEWER
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100))
def test_neither_scale_nor_order_of_pixels_and_channels_matters(made_up, seed: int, factor: float) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(3, seed=seed), made_up(3, (4, 5), seed=seed + 1)
    moved = student._replace(stages=tuple(-factor * stage.flip(1).transpose(-1, -2) for stage in student.stages))
    torch.testing.assert_close(loss(moved, teacher), loss(student, teacher))
    torch.testing.assert_close(loss(moved, student), torch.zeros((), dtype=torch.float64))


def test_images_without_activity_are_like_nothing(made_up) -> None:  # type: ignore[no-untyped-def]
    """The teacher's rows have length 1: against nothing, each stage counts b / b²."""
    teacher = made_up(2, batch=4)
    student = teacher._replace(stages=tuple(torch.zeros_like(stage, requires_grad=True) for stage in teacher.stages))
    value = loss(student, teacher)
    assert value.item() == pytest.approx(2 / 4)
    assert not any(gradient.any() for gradient in torch.autograd.grad(value, student.stages))


def test_batches_of_one_image_are_refused() -> None:
    networks = create_network("resunet", width=2), create_network("resunet", width=4)
    with pytest.raises(UserError, match=r"batch: got 1, expected at least 2, .*; give --batch 2 or more") as caught:
        SimilarityPreserving.from_setup(Setup(*networks, patch=(32, 32), offsets=OFFSETS_2D, batch=1))
    assert "\n" not in str(caught.value)
    assert not SimilarityPreserving.from_setup(
        Setup(*networks, patch=(32, 32), offsets=OFFSETS_2D, batch=2)
    ).state_dict()


@pytest.mark.parametrize("ndim", [2, 3])
def test_golden_values_and_gradients(ndim: int) -> None:
    golden, results = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))["results"]()
    for key in (f"{ndim}d/similarity", f"{ndim}d/similarity.gradient"):
        torch.testing.assert_close(results[key], golden[key], rtol=1e-9, atol=1e-14)
        assert golden[key].any()
