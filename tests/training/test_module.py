"""One step: terms, teacher, learning rate, validation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from segraft.graphs.memory_bank import MemoryBank
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses import DISTILLERS, weighted_sum
from segraft.losses.distiller import Setup
from segraft.losses.graph_relation import GraphRelationLoss
from segraft.networks import create_network
from segraft.networks.contract import Network, centre
from segraft.settings import DistillSettings, TrainSettings
from segraft.tensors import Output
from segraft.training.module import TrainingModule, rate_factor, teacher_output
from segraft.training.patches import Patches
from segraft.types import Geometry, Sample
from segraft.weights import GRAPH_WEIGHTS, SUPERVISED_WEIGHTS

DIM = 4


def sample(labelled: bool = True, size: int = 32) -> Sample:
    """Two bright squares that touch, on black."""
    labels = np.zeros((size, size), np.int32)
    labels[4:16, 4:16], labels[16:28, 6:18] = 1, 2
    image = np.random.default_rng(0).poisson(10 + 100 * labels)[None].astype(np.uint16)
    return Sample(image, labels if labelled else None, "squares")


class Constant(Network):
    """A teacher that sees the same everywhere."""

    ndim = 2

    def __init__(self) -> None:
        super().__init__(Geometry(2, 1, DIM, (1, 1), (0, 0), (1, 1), (0, 0)), ())

    def features(self, x: Tensor) -> Output:
        return Output(x.new_ones(len(x), DIM, *x.shape[2:]), x.new_zeros(len(x), 1, *x.shape[2:]))


def module(teacher: Network | None = None, **settings: Any) -> TrainingModule:
    values = {"dataset": "none", "out": Path("none"), "dim": DIM, "patch": (32, 32), **settings}
    kind = TrainSettings(**values) if teacher is None else DistillSettings(teacher=Path("none"), bank_size=4, **values)
    kind = kind.for_dimension(2)
    distiller = None if teacher is None else GraphRelationLoss(OFFSETS_2D, MemoryBank(4, DIM), 3)
    patches = Patches([sample()], lambda image: image / np.float32(200), (32, 32), 0)
    return TrainingModule(network(), OFFSETS_2D, kind, patches, distiller, teacher)


def network() -> Network:
    return create_network("resunet-tiny", 1, DIM, width=2)


def batch(of: TrainingModule, size: int = 2) -> list[Tensor]:
    images, labels = zip(*(of.patches[k] for k in range(size)), strict=True)
    return [torch.stack(images), torch.stack(labels)]


def test_terms_carry_the_names_of_their_weights() -> None:
    alone, taught = module(), module(network())
    alone.training_step(batch(alone), 0)
    taught.training_step(batch(taught), 0)
    assert set(alone.terms) == set(SUPERVISED_WEIGHTS)
    assert set(taught.terms) == set(SUPERVISED_WEIGHTS | GRAPH_WEIGHTS)


def test_the_loss_is_the_weighted_sum_of_the_terms() -> None:
    taught = module(network(), weights={"intra_node": 7.0, "affinity": 0.0})
    loss = taught.training_step(batch(taught), 0)
    torch.testing.assert_close(loss.detach(), weighted_sum(taught.terms, taught.weights))
    assert taught.weights["intra_node"] == 7.0
    assert loss.requires_grad
    assert not any(term.requires_grad for term in taught.terms.values())


def test_the_teacher_stays_as_it_is() -> None:
    teacher = network().train()
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    taught = module(teacher)
    for _ in range(3):
        taught.train()
        taught.training_step(batch(taught), 0).backward()
        assert not any(part.training for part in teacher.modules())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in teacher.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())


def test_the_teacher_is_no_part_of_the_module_but_the_bank_is() -> None:
    taught, alone = module(network()), module()
    bank = {"distiller.memory.grams", "distiller.memory.filled", "distiller.memory.cursor"}
    assert set(taught.state_dict()) == set(alone.state_dict()) | bank
    assert len(list(taught.parameters())) == len(list(alone.parameters()))


@pytest.mark.parametrize("filters", [(2, 3), (2, 3, 4)])
def test_a_teacher_sees_the_middle_that_the_student_gives(filters: tuple[int, ...]) -> None:
    """What a shallower teacher makes of the whole patch, there; its pooling grid lies alike, for 27 is a multiple."""
    teacher, student = create_network("mala", 1, DIM, filters).eval(), create_network("mala", 1, DIM, (2, 2, 2, 2))
    image = torch.randn(1, 1, *student.geometry.input_size((4, 29, 29)))
    seen, whole = teacher_output(teacher, image, (4, 29, 29)), teacher(image)
    for found, wanted in ((seen.embedding, whole.embedding), (seen.foreground, whole.foreground)):
        torch.testing.assert_close(found, centre(wanted, (4, 29, 29)))
        assert not found.requires_grad
    assert seen.stages


@pytest.mark.parametrize("space", [(4, 6, 6), (3, 11, 11), (4, 5, 4), (1, 2, 2)])
def test_the_middle_is_the_same_pixel_for_teacher_and_student(space: tuple[int, ...]) -> None:
    marked = torch.zeros(1, 1, *(size + 28 for size in space))
    marked[0, 0, *(14 + size // 2 for size in space)] = 1
    found = teacher_output(Impulse(), marked, space).embedding[0, 0]
    assert [int(k) for k in found.nonzero()[0]] == [size // 2 for size in space]


class Impulse(Network):
    """A valid network that hands on its image, three pixels narrower on each side, and only of odd sizes."""

    ndim = 3

    def __init__(self) -> None:
        super().__init__(Geometry(3, 1, 1, (2, 2, 2), (3, 3, 3), (7, 7, 7), (0, 0, 0)), ())

    def features(self, x: Tensor) -> Output:
        inner = x[:, :, 3:-3, 3:-3, 3:-3]
        return Output(inner, inner)


def derivatives(total: Tensor) -> Iterator[Any]:
    """Every function that a total was computed by, once."""
    found, waiting = set(), [total.grad_fn]
    while waiting:
        if (function := waiting.pop()) is not None and function not in found:
            found.add(function)
            waiting += [before for before, _ in function.next_functions]
            yield function


@pytest.mark.parametrize("method", DISTILLERS)
def test_a_step_makes_the_students_unit_vectors_and_affinities_once(method: str) -> None:
    taught = module(network())
    setup = Setup(taught.network, network(), (32, 32), OFFSETS_2D, batch=2)
    taught.distiller = DISTILLERS[method].from_setup(setup)
    functions = list(derivatives(weighted_sum(taught.loss_terms(*batch(taught)), {})))
    for kind in ("_UnitBackward", "_UnitAffinitiesBackward"):
        made = [function for function in functions if function.name() == kind and of_pixels(function)]
        assert len(made) == 1, kind


def of_pixels(function: Any) -> bool:
    """Whether a function was given the student's embedding, or its unit vectors."""
    return function.saved_tensors[0].shape == (2, DIM, 32, 32)


def test_each_step_is_remembered() -> None:
    taught = module(network()).train()
    taught.training_step(batch(taught), 0)
    assert taught.distiller is not None
    assert int(taught.distiller.memory.cursor) == 2


@pytest.mark.parametrize("labels", [0, -1])
@pytest.mark.parametrize("teacher", [None, Constant(), network()], ids=["alone", "constant", "network"])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_nothing_to_see_gives_finite_gradients(labels: int, teacher: Network | None, precision: torch.dtype) -> None:
    """No instance at all, or nothing known, on a constant image."""
    taught = module(teacher).train()
    image, target = torch.zeros(2, 1, 32, 32), torch.full((2, 32, 32), labels)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        loss = taught.training_step([image, target], 0)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in taught.parameters() if p.grad is not None)
    assert all(torch.isfinite(term) for term in taught.terms.values())


def test_bfloat16_is_close_to_float32() -> None:
    losses = []
    for precision in (torch.float32, torch.bfloat16):
        torch.manual_seed(1)
        taught = module(Constant()).train()
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            losses.append(taught.training_step(batch(taught), 0))
    assert all(loss.dtype == torch.float32 for loss in losses)
    torch.testing.assert_close(losses[1], losses[0], rtol=0.05, atol=0)


def test_the_learning_rate_rises_and_falls() -> None:
    settings = module(steps=100, warmup=10).settings
    factors = [rate_factor(settings)(step) for step in range(101)]
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10)
    assert factors[10] == max(factors) == 1
    assert all(after < before for before, after in pairwise(factors[10:]))
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == pytest.approx(0, abs=1e-12)


def test_the_learning_rate_may_stay() -> None:
    factor = rate_factor(module(steps=5, warmup=2, schedule="constant").settings)
    assert [factor(step) for step in range(6)] == [0.5, 1, 1, 1, 1, 1]
    assert rate_factor(module(steps=3, warmup=0).settings)(0) == 1


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_optimizers(name: str, kind: type) -> None:
    made = module(optimizer=name, betas=(0.8, 0.95), decay=0.1, rate=0.5, warmup=0).configure_optimizers()
    optimizer = made["optimizer"]
    assert type(optimizer) is kind
    assert (optimizer.defaults["betas"], optimizer.defaults["weight_decay"]) == ((0.8, 0.95), 0.1)
    assert optimizer.param_groups[0]["lr"] == 0.5
