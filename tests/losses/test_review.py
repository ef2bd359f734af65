"""Knowledge review: fusion modules and hierarchical context loss against loops, derivatives, laws, golden values."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses import KnowledgeReview
from segraft.losses.distiller import Setup
from segraft.losses.review import hierarchical_context
from segraft.networks import create_network
from segraft.networks.contract import Network
from segraft.tensors import Output

GOLDEN = Path(__file__).parents[1] / "golden"
STUDENT, TEACHER = (3, 2), (4, 5)


def review(loss: KnowledgeReview, student: Output, teacher: Output) -> Tensor:
    return loss(student, teacher)["review"]


def block(cell: int, cells: int, pixels: int) -> slice:
    """Pixels that are averaged to one of ``cells`` cells of an axis."""
    return slice(cell * pixels // cells, -(-(cell + 1) * pixels // cells))


def brute_average(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps ``(B, C, *space)`` averaged cell by cell."""
    found = np.empty((*maps.shape[:2], *size))
    for cell in itertools.product(*map(range, size)):
        slices = [block(c, n, pixels) for c, n, pixels in zip(cell, size, maps.shape[2:], strict=True)]
        found[:, :, *cell] = maps[:, :, *slices].reshape(*maps.shape[:2], -1).mean(-1)
    return found


def brute_context(student: np.ndarray, teacher: np.ndarray) -> float:
    """HCL: whole maps, then 4, 2 and 1 cells per axis with half the weight each."""
    total, weights = np.mean((student - teacher) ** 2), [1.0]
    for level in (4, 2, 1):
        size = tuple(min(level, pixels) for pixels in student.shape[2:])
        if size != student.shape[2:]:
            weights.append(weights[-1] / 2)
            total += weights[-1] * np.mean((brute_average(student, size) - brute_average(teacher, size)) ** 2)
    return total / sum(weights)


def brute_convolution(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """Pixel by pixel; outside the image is 0."""
    kernel = weight.shape[2:]
    padded = np.pad(maps, [(0, 0), (0, 0), *((k // 2, k // 2) for k in kernel)])
    found = np.zeros((len(maps), len(weight), *maps.shape[2:]))
    for p in itertools.product(*map(range, maps.shape[2:])):
        window = padded[:, :, *(slice(a, a + k) for a, k in zip(p, kernel, strict=True))]
        for image, channel in itertools.product(range(len(maps)), range(len(weight))):
            found[image, channel, *p] = (window[image] * weight[channel]).sum() + (0 if bias is None else bias[channel])
    return found


def brute_norm(maps: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Batch normalisation in training, channel by channel."""
    found = np.empty_like(maps)
    for channel in range(maps.shape[1]):
        values = maps[:, channel]
        found[:, channel] = (values - values.mean()) / np.sqrt(values.var() + 1e-5) * weight[channel] + bias[channel]
    return found


def brute_nearest(maps: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    indices = [[i * pixels // n for i in range(n)] for n, pixels in zip(size, maps.shape[2:], strict=True)]
    return maps[np.ix_(range(len(maps)), range(maps.shape[1]), *indices)]


def brute_review(loss: KnowledgeReview, student: Output, teacher: Output) -> float:
    """Fig. 3 of the paper, from the bottleneck up."""
    weights = {name: value.detach().numpy() for name, value in loss.state_dict().items()}
    total, handed = 0.0, np.zeros(())
    for k, (s, t) in enumerate(zip(student.stages, teacher.stages, strict=True)):
        of = {name.removeprefix(f"fusions.{k}."): value for name, value in weights.items() if f"fusions.{k}." in name}
        maps = brute_convolution(s.detach().numpy(), of["entry.0.weight"])
        maps = brute_norm(maps, of["entry.1.weight"], of["entry.1.bias"])
        if k:
            handed = brute_nearest(handed, maps.shape[2:])
            both = np.concatenate([maps, handed], axis=1)
            logits = brute_convolution(both, of["attention.0.weight"], of["attention.0.bias"])
            own, other = (1 / (1 + np.exp(-logits[:, [n]])) for n in (0, 1))
            maps = own * maps + other * handed
        handed = brute_nearest(maps, tuple(t.shape[2:]))
        fused = brute_norm(brute_convolution(handed, of["exit.0.weight"]), of["exit.1.weight"], of["exit.1.bias"])
        total += brute_context(fused, t.numpy())
    return total


@pytest.mark.parametrize("sizes", [(2, 5), (3, 4)])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_loss_equals_loops_over_pixels(made_up, ndim: int, sizes: tuple[int, ...]) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim), made_up(ndim, TEACHER, seed=1, sizes=sizes)
    loss = KnowledgeReview(STUDENT, TEACHER, ndim).double()
    for weights in loss.parameters():
        torch.nn.init.normal_(weights)
    assert review(loss, student, teacher).item() == pytest.approx(brute_review(loss, student, teacher), rel=1e-10)


@pytest.mark.parametrize("space", [(1, 1), (2, 2), (3, 4), (4, 9), (11, 7), (1, 5, 9), (6, 3, 2)])
def test_the_context_loss_equals_loops_over_cells(space: tuple[int, ...]) -> None:
    student, teacher = torch.randn(2, 3, 2, *space, dtype=torch.float64)
    found = hierarchical_context(student, teacher).item()
    assert found == pytest.approx(brute_context(student.numpy(), teacher.numpy()), rel=1e-12)
    assert hierarchical_context(teacher, teacher).item() == 0


def test_a_constant_difference_counts_the_same_at_all_levels() -> None:
    teacher = torch.randn(2, 3, 9, 9)
    assert hierarchical_context(teacher + 3, teacher).item() == pytest.approx(9, rel=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_derivatives_are_right(made_up, ndim: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim), made_up(ndim, TEACHER, seed=1, sizes=(3, 4))
    loss = KnowledgeReview(STUDENT, TEACHER, ndim).double()
    stages = tuple(stage.requires_grad_() for stage in student.stages)
    of_stages = lambda *s: review(loss, student._replace(stages=s), teacher)  # noqa: E731
    assert torch.autograd.gradcheck(of_stages, stages, fast_mode=True)
    names, weights = zip(*loss.named_parameters(), strict=True)

    def of_weights(*values: Tensor) -> Tensor:
        given = dict(zip(names, values, strict=True))
        return torch.func.functional_call(loss, given, (student, teacher))["review"]

    assert torch.autograd.gradcheck(of_weights, weights, fast_mode=True)


def test_a_teacher_like_the_fused_stages_teaches_nothing(made_up) -> None:  # type: ignore[no-untyped-def]
    student = made_up(2, sizes=(2, 5))
    loss = KnowledgeReview(STUDENT, TEACHER, 2).double()
    handed, fused = None, []
    for fusion, stage in zip(loss.fusions, student.stages, strict=True):
        maps, handed = fusion(stage, handed, tuple(stage.shape[2:]))
        fused.append(maps)
    assert review(loss, student, student._replace(stages=tuple(fused))).item() == 0


def test_deep_stages_help_to_mimic_shallow_ones_but_not_the_reverse(made_up) -> None:  # type: ignore[no-untyped-def]
    """What the last stage's context loss depends on, and what the first one's does."""
    student, teacher = made_up(2), made_up(2, TEACHER, seed=1)
    loss = KnowledgeReview(STUDENT, TEACHER, 2).double()
    deep, shallow = (stage.requires_grad_() for stage in student.stages)
    first, handed = loss.fusions[0](deep, None, tuple(teacher.stages[0].shape[2:]))
    last, _ = loss.fusions[1](shallow, handed, tuple(teacher.stages[1].shape[2:]))
    at_last = torch.autograd.grad(hierarchical_context(last, teacher.stages[1]), (deep, shallow), retain_graph=True)
    assert all(gradient.any() for gradient in at_last)
    at_first = torch.autograd.grad(hierarchical_context(first, teacher.stages[0]), (deep, shallow), allow_unused=True)
    assert at_first[0].any()
    assert at_first[1] is None


def networks() -> tuple[Network, Network]:
    return create_network("resunet", width=2), create_network("resunet", width=4).eval().requires_grad_(False)


def test_fusions_are_part_of_the_state_and_get_gradients() -> None:
    student, teacher = networks()
    loss = KnowledgeReview.from_setup(Setup(student, teacher, (32, 32), OFFSETS_2D, batch=2))
    image = torch.randn(2, 1, 32, 32)
    review(loss, student.features(image), teacher.features(image)).backward()
    weights = dict(loss.named_parameters())
    assert all(value.grad is not None and value.grad.any() for value in weights.values())
    assert set(weights) <= set(loss.state_dict())
    assert len(loss.fusions) == 5
    assert loss.fusions[0].attention is None
    assert weights["fusions.4.entry.0.weight"].shape == (32, 4, 1, 1)  # bottleneck's channels, last stage's
    assert [weights[f"fusions.{k}.exit.0.weight"].shape[0] for k in range(5)] == [64, 64, 32, 16, 8]


def test_the_state_can_be_restored() -> None:
    student, teacher = networks()
    loss, other = (KnowledgeReview.from_setup(Setup(student, teacher, (32, 32), OFFSETS_2D, batch=2)) for _ in range(2))
    image = torch.randn(2, 1, 32, 32)
    outputs = student.features(image), teacher.features(image)
    assert not torch.equal(review(loss, *outputs), review(other, *outputs))
    other.load_state_dict(loss.state_dict())
    assert torch.equal(review(loss, *outputs), review(other, *outputs))


def test_a_seed_decides_the_first_weights() -> None:
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(torch.cat([value.flatten() for value in KnowledgeReview(STUDENT, TEACHER, 3).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_the_fusions_learn_to_mimic(made_up) -> None:  # type: ignore[no-untyped-def]
    """With the student frozen, ten steps on the fusion modules alone lower the loss."""
    student, teacher = made_up(2), made_up(2, TEACHER, seed=1)
    loss = KnowledgeReview(STUDENT, TEACHER, 2).double()
    optimizer = torch.optim.Adam(loss.parameters(), lr=0.02)
    values = []
    for _ in range(10):
        optimizer.zero_grad()
        value = review(loss, student, teacher)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.8 * values[0]


@pytest.mark.parametrize(
    ("student", "teacher", "ndim"), [((), (4,), 2), ((4,), (), 2), ((4,), (4,), 1)], ids=["student", "teacher", "1-D"]
)
def test_networks_without_stages_are_refused(student: tuple[int, ...], teacher: tuple[int, ...], ndim: int) -> None:
    with pytest.raises(UserError, match="use networks whose features have stages"):
        KnowledgeReview(student, teacher, ndim)


def test_other_numbers_of_stages_than_expected_are_refused(made_up) -> None:  # type: ignore[no-untyped-def]
    output = made_up(2, (3,), sizes=(5,))
    with pytest.raises(UserError, match="got 1 pairs, expected 2; make the loss with from_setup"):
        review(KnowledgeReview(STUDENT, TEACHER, 2), output, output)


def test_a_single_pixel_in_all_is_refused_in_training(made_up) -> None:  # type: ignore[no-untyped-def]
    student = made_up(2, batch=1)
    student = student._replace(stages=(student.stages[0][:, :, :1, :1], student.stages[1]))
    teacher = made_up(2, TEACHER, batch=1)
    teacher = teacher._replace(stages=(teacher.stages[0][:, :, :1, :1], teacher.stages[1]))
    loss = KnowledgeReview(STUDENT, TEACHER, 2).double()
    with pytest.raises(UserError, match="take larger patches"):
        review(loss, student, teacher)
    assert review(loss.eval(), student, teacher).isfinite()


@pytest.mark.parametrize("key", ["review", "review.gradient", "review/fusion.gradient"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_golden_values_and_gradients(ndim: int, key: str) -> None:
    golden, results = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))["results"]()
    torch.testing.assert_close(results[f"{ndim}d/{key}"], golden[f"{ndim}d/{key}"], rtol=1e-9, atol=1e-14)
    assert golden[f"{ndim}d/{key}"].any()
