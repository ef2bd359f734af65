"""The supervised loss (Eq. 6) and the foreground, against loops."""

from __future__ import annotations

import itertools
import math
import runpy
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from segraft.graphs.affinity import embedding_affinities
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses import supervised
from segraft.types import Offsets

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = [((6, 7), OFFSETS_2D, "object"), ((3, 4, 5), OFFSETS_3D, "separate"), ((5, 5), OFFSETS_2D, "separate")]


def brute_affinity(affinities: Tensor, labels: Tensor, offsets: Offsets, background: str) -> Tensor:
    """Eq. 6, pair by pair: weights per offset from the whole batch, then one mean over all pairs."""
    space, terms = labels.shape[1:], []
    for n, offset in enumerate(offsets):
        found: list[tuple[Tensor, bool]] = []
        for b, *p in itertools.product(range(len(labels)), *map(range, space)):
            q = [a + k for a, k in zip(p, offset, strict=True)]
            if not all(0 <= a < size for a, size in zip(q, space, strict=True)):
                continue
            left, right = int(labels[(b, *p)]), int(labels[(b, *q)])
            if -1 not in (left, right):
                same = left == right and (left > 0 or background == "object")
                found.append((affinities[(b, n, *p)], same))
        if found:
            f = min(max(sum(same for _, same in found) / len(found), 0.05), 0.99)
            heavy = max(f, 1 - f) / min(f, 1 - f)
            rare = f < 0.5
            terms += [(heavy if same == rare else 1) * (a - float(same)) ** 2 for a, same in found]
    return torch.stack(terms).sum() / len(terms) if terms else affinities.sum() * 0


def random_case(seed: int, space: tuple[int, ...], offsets: Offsets, lowest: int = -1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(lowest, 3, (2, *space), generator=generator)
    affinities = torch.rand(2, len(offsets), *space, generator=generator, dtype=torch.float64) * 2 - 1
    return affinities.requires_grad_(), labels


@pytest.mark.parametrize(("space", "offsets", "background"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_affinity_equals_the_equation(space: tuple[int, ...], offsets: Offsets, background: str, seed: int) -> None:
    affinities, labels = random_case(seed, space, offsets)
    results = [f(affinities, labels, offsets, background) for f in (supervised.affinity, brute_affinity)]
    torch.testing.assert_close(*results)
    torch.testing.assert_close(*(torch.autograd.grad(r, affinities)[0] for r in results))


@pytest.mark.parametrize("positive", [0, 1, 2, 60, 61, 120, 121])
def test_the_weights_are_bounded(positive: int) -> None:
    """11 × 11 pixels with one neighbour each: fractions far below 0.05, around 0.5 and above 0.99."""
    labels = torch.arange(1, 133).view(1, 12, 11).clone()
    for k in range(positive):
        y, x = k % 11, k // 11
        labels[0, y + 1, x] = labels[0, y, x]
    affinities = torch.rand(1, 1, 12, 11, dtype=torch.float64)
    results = [f(affinities, labels, ((-1, 0),), "object") for f in (supervised.affinity, brute_affinity)]
    torch.testing.assert_close(*results)


@pytest.mark.parametrize(("space", "offsets", "background"), CASES[:2])
def test_the_derivatives_are_right(space: tuple[int, ...], offsets: Offsets, background: str) -> None:
    affinities, labels = random_case(0, space, offsets)
    assert torch.autograd.gradcheck(lambda a: supervised.affinity(a, labels, offsets, background), (affinities,))
    embedding = torch.randn(2, 3, *space, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda e: supervised.affinity(embedding_affinities(e, offsets), labels, offsets, background), (embedding,)
    )
    logits = torch.randn(2, 1, *space, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: supervised.foreground(a, labels), (logits,))


@pytest.mark.parametrize("space", [(6, 7), (3, 4, 5)])
def test_foreground_is_the_cross_entropy_over_known_pixels(space: tuple[int, ...]) -> None:
    logits = torch.randn(2, 1, *space, dtype=torch.float64)
    labels = torch.randint(-1, 3, (2, *space))
    probabilities = [1 / (1 + math.exp(-v)) for v in logits.flatten().tolist()]
    pairs = zip(probabilities, labels.flatten().tolist(), strict=True)
    losses = [-math.log(p if label > 0 else 1 - p) for p, label in pairs if label >= 0]
    assert supervised.foreground(logits, labels).item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)


@given(st.integers(0, 1000), st.permutations([1, 2, 3]))
def test_numbers_of_the_instances_do_not_matter(seed: int, numbers: list[int]) -> None:
    affinities, labels = random_case(seed, (6, 7), OFFSETS_2D)
    renumbered = torch.tensor([0, *(number + 2**40 for number in numbers), -1])[labels]
    results = [supervised.affinity(affinities, each, OFFSETS_2D) for each in (labels, renumbered)]
    assert torch.equal(*results)


@given(st.integers(0, 1000))
def test_unknown_pixels_are_left_out(seed: int) -> None:
    affinities, labels = random_case(seed, (6, 7), OFFSETS_2D)
    logits = torch.randn(2, 1, 6, 7, dtype=torch.float64, requires_grad=True)
    a, f = torch.autograd.grad(
        supervised.affinity(affinities, labels, OFFSETS_2D) + supervised.foreground(logits, labels),
        (affinities, logits),
    )
    unknown = labels == -1
    assert not a[unknown.unsqueeze(1).expand_as(a)].any()
    assert not f[unknown.unsqueeze(1)].any()
    assert f[~unknown.unsqueeze(1)].all()


def test_perfect_affinities_cost_nothing() -> None:
    labels = torch.randint(0, 3, (1, 6, 7))
    one_hot = torch.nn.functional.one_hot(labels).movedim(-1, 1).double()
    assert supervised.affinity(embedding_affinities(one_hot, OFFSETS_2D), labels, OFFSETS_2D).item() < 1e-20


@pytest.mark.parametrize("label", [-1, 0, 1])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_an_image_of_one_label_gives_finite_losses_and_gradients(label: int, dtype: torch.dtype) -> None:
    embedding, logits = (torch.randn(1, c, 6, 7).to(dtype).requires_grad_() for c in (3, 1))
    labels = torch.full((1, 6, 7), label)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        affinities = embedding_affinities(embedding, OFFSETS_2D)
        losses = supervised.affinity(affinities, labels, OFFSETS_2D), supervised.foreground(logits, labels)
    assert all(loss.dtype == torch.promote_types(dtype, torch.float32) for loss in losses)
    torch.autograd.backward(losses)
    for loss, inputs in zip(losses, (embedding, logits), strict=True):
        assert loss.isfinite()
        assert inputs.grad is not None
        assert inputs.grad.isfinite().all()
        assert bool(inputs.grad.any()) == (label != -1)
        assert bool(loss) == (label != -1)


def test_golden_values_and_gradients() -> None:
    golden, results = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))["results"]()
    assert set(results) == set(golden)
    for name in ("affinity", "foreground"):
        for key in (f"{space}/{name}{part}" for space in ("2d", "3d") for part in ("", ".gradient")):
            torch.testing.assert_close(results[key], golden[key], rtol=1e-9, atol=1e-14)
