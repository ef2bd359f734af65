"""What distillation methods are made from and learn from; that each takes what it needs and nothing is made twice."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, replace

import pytest
import torch

from segraft.graphs.embedding import unit
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses import BISKD, DISTILLERS, GraphRelationLoss, KnowledgeReview
from segraft.losses.distiller import Distiller, Setup
from segraft.networks import create_network
from shared.lessons import lesson


def setup(**changes: object) -> Setup:
    """Of two small networks."""
    student, teacher = (create_network("resunet", dim=5, width=width) for width in (2, 4))
    return replace(Setup(student, teacher, (32, 32), OFFSETS_2D, batch=2), **changes)  # type: ignore[arg-type]


def a_lesson(made_up):  # type: ignore[no-untyped-def]
    student, teacher = made_up(2), made_up(2, seed=1)
    student.embedding.requires_grad_()
    return lesson(student, teacher, torch.randint(-1, 4, (2, *student.embedding.shape[2:])), OFFSETS_2D)


def test_a_method_says_how_it_is_made_and_how_it_learns(made_up) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NotImplementedError):
        Distiller.from_setup(setup())
    with pytest.raises(NotImplementedError):
        Distiller().learn(a_lesson(made_up))


@pytest.mark.parametrize("name", DISTILLERS)
def test_every_method_is_made_from_a_setup_and_called_with_what_it_uses(name: str) -> None:
    kind = DISTILLERS[name]
    assert type(kind.from_setup(setup())) is kind
    used = ["student", "teacher", "labels"] if name in ("graph", "biskd") else ["student", "teacher"]
    assert list(inspect.signature(kind.forward).parameters) == ["self", *used]


def test_the_bank_is_as_the_setup_says() -> None:
    loss = GraphRelationLoss.from_setup(setup(bank_size=7, bank_samples=3, seed=11))
    assert isinstance(loss, GraphRelationLoss)
    assert loss.memory.grams.shape == (7, 2, 5, 5)
    assert (loss.samples, loss.memory.seed, loss.offsets) == (3, 11, OFFSETS_2D)


def test_the_paper_decides_the_size_of_the_bank() -> None:
    assert (setup().bank_size, setup().bank_samples) == (32, 12)


def test_offsets_and_stages_are_as_the_setup_says() -> None:
    assert BISKD.from_setup(setup(offsets=OFFSETS_2D[:2])).offsets == OFFSETS_2D[:2]
    review = KnowledgeReview.from_setup(setup())
    assert len(review.fusions) == 5
    assert review.fusions[0].exit[0].weight.shape[0] == 64


@pytest.mark.parametrize("kind", ["setup", "lesson"])
def test_they_cannot_be_changed(made_up, kind: str) -> None:  # type: ignore[no-untyped-def]
    frozen = setup() if kind == "setup" else a_lesson(made_up)
    with pytest.raises(FrozenInstanceError):
        frozen.offsets = ()


def test_a_lesson_shares_what_the_student_has_made(made_up) -> None:  # type: ignore[no-untyped-def]
    given = a_lesson(made_up)
    student, teacher = given.graphs()
    assert student.units is given.units
    assert student.affinities is given.affinities
    assert torch.equal(teacher.units, unit(given.teacher.embedding))
    assert not teacher.units.requires_grad


@pytest.mark.parametrize("name", ["graph", "biskd"])
def test_a_lesson_teaches_what_the_formula_says(made_up, name: str) -> None:  # type: ignore[no-untyped-def]
    """The same values, bit for bit; gradients differ by rounding, for the unit vectors have one derivative, not two."""
    given = a_lesson(made_up)
    losses = [DISTILLERS[name].from_setup(setup(student=create_network("resunet", dim=4, width=2))) for _ in range(2)]
    found = losses[0].learn(given)
    wanted = losses[1](given.student, given.teacher, given.labels)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    assert list(found) == list(wanted)
    embedding = given.student.embedding
    gradients = [torch.autograd.grad(sum(terms.values()), embedding)[0] for terms in (found, wanted)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-15)
