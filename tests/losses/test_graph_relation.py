"""Graph relation distillation: laws of its five terms, the memory bank, golden values."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from segraft.errors import UserError
from segraft.graphs.memory_bank import MemoryBank
from segraft.graphs.offsets import OFFSETS_2D
from segraft.losses import GraphRelationLoss, weighted_sum
from segraft.tensors import Output
from shared.graph_case import DIM, TERMS, Case
from shared.lessons import lesson

GOLDEN = Path(__file__).parents[1] / "golden"
FEWER = settings(max_examples=15)


@FEWER
@given(st.integers(0, 1000))
def test_a_student_like_its_teacher_loses_nothing(seed: int) -> None:
    case = Case(2, seed)
    terms = case.loss()(case.teacher.clone().requires_grad_(), case.teacher, case.labels)
    assert set(terms) == set(TERMS)
    assert all(abs(term.item()) < 1e-15 for term in terms.values())


@FEWER
@given(st.integers(0, 1000))
def test_terms_are_not_negative(seed: int) -> None:
    assert all(term.item() >= 0 for term in Case(3, seed).terms().values())


@FEWER
@given(st.integers(0, 1000), st.permutations(range(1, 5)))
def test_numbers_of_the_instances_do_not_matter(seed: int, numbers: list[int]) -> None:
    case = Case(2, seed, lonely=True)
    before = case.terms()
    table = torch.tensor([0, *(number * 2**40 for number in numbers), -1])
    case.labels, case.old_labels = table[case.labels], table[case.old_labels]
    torch.testing.assert_close(case.terms(), before)


@FEWER
@given(st.integers(0, 1000))
def test_order_of_the_batch_and_of_the_bank_does_not_matter(seed: int) -> None:
    case = Case(2, seed, lonely=True)
    before = case.terms()
    for name in ("student", "teacher", "remembered", "labels", "old_labels"):
        setattr(case, name, getattr(case, name).flip(0))
    torch.testing.assert_close(case.terms(), before)


@FEWER
@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_scale_matters_to_the_nodes_only(seed: int, factor: float) -> None:
    case = Case(2, seed)
    before = case.terms()
    case.student, case.teacher = factor * case.student, factor * case.teacher
    after = case.terms()
    torch.testing.assert_close(after.pop("intra_node"), factor * before.pop("intra_node"))
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-12)


def test_no_gradient_reaches_the_teacher() -> None:
    case = Case(2)
    case.teacher.requires_grad_()
    torch.stack(list(case.terms().values())).sum().backward()
    assert case.teacher.grad is None


@pytest.mark.parametrize("ndim", [2, 3])
def test_unknown_pixels_are_in_no_instance_but_in_every_affinity(ndim: int) -> None:
    case = Case(ndim)
    before = case.terms()
    moved = case.student.detach() + 5 * (case.labels == -1).unsqueeze(1)
    after = case.loss()(moved.requires_grad_(), case.teacher, case.labels)
    for term in ("intra_node", "intra_edge", "inter_edge"):
        torch.testing.assert_close(after[term], before[term])
    for term in ("intra_affinity", "inter_affinity"):
        assert not torch.isclose(after[term], before[term])


@pytest.mark.parametrize("label", [0, -1])
@pytest.mark.parametrize("ndim", [2, 3])
def test_without_instances_the_instance_terms_are_a_differentiable_zero(ndim: int, label: int) -> None:
    case = Case(ndim)
    case.labels = torch.full_like(case.labels, label)
    terms = case.terms()
    for term in ("intra_node", "intra_edge", "inter_edge"):
        (gradient,) = torch.autograd.grad(terms[term], case.student, retain_graph=True)
        assert terms[term].item() == 0
        assert not gradient.any()
    assert terms["intra_affinity"] > 0
    assert terms["inter_affinity"] > 0


def test_with_an_empty_bank_the_inter_terms_are_a_differentiable_zero() -> None:
    case = Case(2)
    terms = case.loss(push_first=False).eval()(case.student, case.teacher, case.labels)
    for term in ("inter_edge", "inter_affinity"):
        (gradient,) = torch.autograd.grad(terms[term], case.student, retain_graph=True)
        assert terms[term].item() == 0
        assert not gradient.any()


def test_a_bank_without_instances_gives_no_inter_edge() -> None:
    case = Case(2)
    case.old_labels = torch.zeros_like(case.old_labels)
    terms = case.loss().eval()(case.student, case.teacher, case.labels)
    assert terms["inter_edge"].item() == 0
    assert terms["inter_affinity"] > 0


@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize("which", ["student", "teacher", "both"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_constant_embeddings_give_finite_losses_and_gradients(constant: float, which: str, dtype: torch.dtype) -> None:
    case = Case(2, dtype=dtype, lonely=True)
    student = torch.full_like(case.student, constant) if which != "teacher" else case.student.detach()
    teacher = torch.full_like(case.teacher, constant) if which != "student" else case.teacher
    student.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = case.loss()(student, teacher, case.labels)
    torch.stack(list(terms.values())).sum().backward()
    assert all(term.isfinite() and term.dtype == torch.float32 for term in terms.values())
    assert student.grad is not None
    assert student.grad.isfinite().all()


def test_autocast_changes_nothing() -> None:
    case = Case(2, dtype=torch.float32)
    wanted = case.terms()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = case.terms()
        gradients = [
            torch.autograd.grad(sum(terms.values()), case.student)[0]  # type: ignore[arg-type]
            for terms in (found, wanted)
        ]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_offsets_longer_than_the_image_contribute_nothing() -> None:
    case = Case(2)
    before = case.terms()
    case.offsets = (*OFFSETS_2D, (-90, 0), (0, 55))
    torch.testing.assert_close(case.terms(), before)
    case.offsets = ((-90, 0), (0, 55))
    terms = case.terms()
    assert terms["intra_affinity"].item() == 0
    terms["intra_affinity"].backward()
    assert not case.student.grad.any()  # type: ignore[union-attr]


def test_the_students_affinities_can_be_handed_over() -> None:
    case = Case(2)
    outputs = (Output(embedding, embedding[:, :1]) for embedding in (case.student, case.teacher))
    found = case.loss().learn(lesson(*outputs, case.labels, OFFSETS_2D))
    torch.testing.assert_close(found, case.terms(), rtol=0, atol=0)


def test_the_students_unit_vectors_can_be_handed_over() -> None:
    """One derivative of the unit vectors in place of two: gradients differ by rounding."""
    case = Case(2)
    outputs = (Output(embedding, embedding[:, :1]) for embedding in (case.student, case.teacher))
    given = lesson(*outputs, case.labels, OFFSETS_2D)
    assert given.graphs()[0].units is given.units
    totals = [weighted_sum(terms, {}) for terms in (case.loss().learn(given), case.terms())]
    gradients = [torch.autograd.grad(total, case.student)[0] for total in totals]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-15)


def test_the_bank_is_pushed_in_training_mode_only_and_first() -> None:
    case = Case(2)
    loss = case.loss(push_first=False)
    loss.eval()(case.student, case.teacher, case.labels)
    assert int(loss.memory.filled) == 0
    terms = loss.train()(case.student, case.teacher, case.labels)
    assert int(loss.memory.filled) == 2
    assert terms["inter_affinity"] > 0, "the batch itself is in the bank when the first images are drawn"
    pushed = MemoryBank(8, DIM)
    pushed.push(case.teacher, case.labels)
    assert torch.equal(pushed.grams, loss.memory.grams)


@FEWER
@given(st.integers(1, 6))
def test_as_many_images_are_drawn_as_asked_for(samples: int) -> None:
    case = Case(2)
    loss = case.loss(samples=samples).eval()
    for seed in range(3):
        loss.memory.push(Case(2, seed).remembered, case.old_labels)
    drawn = loss.memory.sample(samples)
    assert len(drawn) == samples
    terms = loss(case.student, case.teacher, case.labels)
    alone = GraphRelationLoss(OFFSETS_2D, MemoryBank(samples, DIM)).eval()
    alone.memory.push_grams(drawn)
    torch.testing.assert_close(alone(case.student, case.teacher, case.labels), terms)


def test_the_bank_is_part_of_the_state() -> None:
    case = Case(2)
    assert {"memory.grams", "memory.filled", "memory.cursor"} == set(case.loss().state_dict())


def test_a_bank_of_another_dim_is_refused() -> None:
    loss, embedding = GraphRelationLoss(OFFSETS_2D, MemoryBank(2, DIM)), torch.zeros(2, 5, 8, 8)
    with pytest.raises(UserError, match="got dim 4, expected 5 as of the embeddings; make the bank with dim=5"):
        loss(embedding, embedding, torch.zeros(2, 8, 8, dtype=torch.long))
    assert int(loss.memory.cursor) == 0


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("term", TERMS)
def test_golden_values_and_gradients(term: str, ndim: int) -> None:
    golden, results = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))["results"]()
    for key in (f"{ndim}d/{term}", f"{ndim}d/{term}.gradient"):
        assert math.isfinite(golden[key].sum())
        torch.testing.assert_close(results[key], golden[key], rtol=1e-6, atol=1e-10)  # the bank is float32
