"""The paper's five terms: against the equations over all pairs, derivatives, laws, golden values."""

from __future__ import annotations

import itertools
import math
import runpy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.affinity import OFFSETS_2D, OFFSETS_3D, embedding_affinities, unit_affinities
from segraft.graphs.embedding import unit
from segraft.graphs.memory_bank import MemoryBank
from segraft.losses import GraphRelationLoss, weighted_sum
from segraft.losses.graph_relation import check
from segraft.types import Offsets

GOLDEN = Path(__file__).parents[1] / "golden"
TERMS = ("intra_node", "intra_edge", "intra_affinity", "inter_edge", "inter_affinity")
SPACES = {2: (5, 4), 3: (2, 3, 3)}
OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D}
DIM = 4
FEWER = settings(max_examples=15)


class Case:
    """Two current and two remembered images; the second current image may have no instances."""

    def __init__(self, ndim: int, seed: int = 0, lonely: bool = False, dtype: torch.dtype = torch.float64) -> None:
        generator = torch.Generator().manual_seed(seed)
        space = SPACES[ndim]
        self.offsets = OFFSETS[ndim]
        maps = torch.randn(3, 2, DIM, *space, generator=generator, dtype=torch.float64)
        self.student, self.teacher, self.remembered = maps.to(dtype).unbind()
        self.student.requires_grad_()
        self.labels, self.old_labels = torch.randint(-1, 5, (2, 2, *space), generator=generator).unbind()
        if lonely:
            self.labels[1] = 0
            self.old_labels[0].clamp_max_(0)

    def loss(self, push_first: bool = True, contrast: int = 99) -> GraphRelationLoss:
        loss = GraphRelationLoss(self.offsets, MemoryBank(8, DIM), contrast)
        if push_first:
            loss.memory.push(self.remembered, self.old_labels)
        return loss

    def terms(self) -> dict[str, Tensor]:
        return self.loss()(self.student, self.teacher, self.labels)


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return a @ b / (a.norm() * b.norm())


def nodes(embedding: Tensor, labels: Tensor) -> list[Tensor]:
    return [embedding[:, labels == i].mean(1) for i in range(1, 5) if (labels == i).any()]


def pixels(embedding: Tensor) -> list[Tensor]:
    return list(embedding.flatten(1).T)


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def brute_intra_node(case: Case) -> Tensor:
    """Eq. 2, instance by instance."""
    values = []
    for s, t, labels in zip(case.student, case.teacher, case.labels, strict=True):
        if distances := [(a - b).norm() for a, b in zip(nodes(s, labels), nodes(t, labels), strict=True)]:
            values.append(mean(distances))
    return mean(values)


def brute_intra_edge(case: Case) -> Tensor:
    """Eq. 3, all pairs of instances."""
    values = []
    for s, t, labels in zip(case.student, case.teacher, case.labels, strict=True):
        both = list(zip(nodes(s, labels), nodes(t, labels), strict=True))
        if both:
            values.append(mean([(cosine(a, b) - cosine(c, d)) ** 2 for (a, c) in both for (b, d) in both]))
    return mean(values)


def brute_intra_affinity(case: Case) -> Tensor:
    """Eq. 5, pixel by pixel and offset by offset."""
    values = []
    for s, t in zip(case.student, case.teacher, strict=True):
        found, space = [], s.shape[1:]
        for offset, *p in itertools.product(case.offsets, *map(range, space)):
            q = [a + k for a, k in zip(p, offset, strict=True)]
            if all(0 <= a < size for a, size in zip(q, space, strict=True)):
                p_, q_ = (slice(None), *p), (slice(None), *q)
                found.append((cosine(s[p_], s[q_]) - cosine(t[p_], t[q_])) ** 2)
        values.append(mean(found))
    return mean(values)


def brute_inter(case: Case, vectors, memory: list[list[Tensor]]) -> Tensor:  # type: ignore[no-untyped-def]
    """Eqs. 4 and 7: the double sum over all pairs of a current and a remembered image's vectors."""
    images = []
    for s, t, labels in zip(case.student, case.teacher, case.labels, strict=True):
        both = list(zip(vectors(s, labels), vectors(t, labels), strict=True))
        pairs = [[(cosine(a, v) - cosine(c, v)) ** 2 for (a, c) in both for v in old] for old in memory if old]
        if both and pairs:
            images.append(mean([mean(values) for values in pairs]))
    return mean(images)


def brute_inter_edge(case: Case) -> Tensor:
    old = list(zip(case.remembered, case.old_labels, strict=True)) + list(zip(case.teacher, case.labels, strict=True))
    return brute_inter(case, nodes, [nodes(*image) for image in old])


def brute_inter_affinity(case: Case) -> Tensor:
    memory = [pixels(image) for image in (*case.remembered, *case.teacher)]
    return brute_inter(case, lambda e, _: pixels(e), memory)


BRUTE = {
    "intra_node": brute_intra_node,
    "intra_edge": brute_intra_edge,
    "intra_affinity": brute_intra_affinity,
    "inter_edge": brute_inter_edge,
    "inter_affinity": brute_inter_affinity,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lonely", [False, True])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("term", TERMS)
def test_term_and_gradient_equal_the_equation_over_all_pairs(
    term: str, ndim: int, lonely: bool, dtype: torch.dtype
) -> None:
    case = Case(ndim, lonely=lonely, dtype=dtype)
    found, wanted = case.terms()[term], BRUTE[term](case)
    assert found.dtype == dtype
    assert abs(found - wanted) <= 1e-5 * abs(wanted)
    gradients = [torch.autograd.grad(value, case.student)[0] for value in (found, wanted)]
    assert (gradients[0] - gradients[1]).norm() <= 1e-5 * gradients[1].norm()
    assert gradients[1].norm() > 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_inter_affinity_of_a_larger_image_equals_all_pairs(ndim: int) -> None:
    """In single precision, where the student has come close to the teacher."""
    space = (40, 37) if ndim == 2 else (8, 13, 14)
    teacher, remembered = torch.randn(2, 2, 16, *space).unbind()
    student = (teacher + 0.05 * torch.randn_like(teacher)).requires_grad_()
    loss = GraphRelationLoss(OFFSETS[ndim], MemoryBank(4, 16)).eval()
    loss.memory.push(remembered, torch.zeros(2, *space, dtype=torch.long))
    found = loss(student, teacher, torch.zeros(2, *space, dtype=torch.long))["inter_affinity"]
    s, t, old = ((e / e.norm(dim=1, keepdim=True)).flatten(2) for e in (student, teacher, remembered))
    wanted = mean([(s[m].T @ q - t[m].T @ q).square().mean() for m in range(2) for q in old])
    assert abs(found - wanted) <= 1e-5 * wanted
    gradients = [torch.autograd.grad(value, student)[0] for value in (found, wanted)]
    assert (gradients[0] - gradients[1]).norm() <= 1e-5 * gradients[1].norm()


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("term", TERMS)
def test_derivatives_are_right(term: str, ndim: int) -> None:
    case = Case(ndim, lonely=True)
    loss = case.loss().eval()
    term_of = lambda student: loss(student, case.teacher, case.labels)[term]  # noqa: E731
    assert torch.autograd.gradcheck(term_of, (case.student,), fast_mode=True)


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
    affinities = embedding_affinities(case.student, OFFSETS_2D)
    found = case.loss()(case.student, case.teacher, case.labels, affinities)
    torch.testing.assert_close(found, case.terms())


def test_the_students_unit_vectors_can_be_handed_over() -> None:
    """The same values, bit for bit; one derivative of the unit vectors in place of two, so that gradients differ by
    rounding."""
    case = Case(2)
    units = unit(case.student)
    found = case.loss()(case.student, case.teacher, case.labels, unit_affinities(units, OFFSETS_2D), units)
    wanted = case.terms()
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    gradients = [torch.autograd.grad(weighted_sum(terms, {}), case.student)[0] for terms in (found, wanted)]
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
def test_as_many_images_are_drawn_as_asked_for(contrast: int) -> None:
    case = Case(2)
    loss = case.loss(contrast=contrast).eval()
    for seed in range(3):
        loss.memory.push(Case(2, seed).remembered, case.old_labels)
    drawn = loss.memory.sample(contrast)
    assert len(drawn) == contrast
    terms = loss(case.student, case.teacher, case.labels)
    alone = GraphRelationLoss(OFFSETS_2D, MemoryBank(contrast, DIM)).eval()
    alone.memory.push_grams(drawn)
    torch.testing.assert_close(alone(case.student, case.teacher, case.labels), terms)


def test_the_bank_is_part_of_the_state() -> None:
    case = Case(2)
    assert {"memory.grams", "memory.filled", "memory.cursor"} == set(case.loss().state_dict())


@pytest.mark.parametrize(
    ("student", "teacher", "labels", "offsets", "text"),
    [
        ((2, 4, 8, 8), (2, 4, 8, 9), (2, 8, 8), OFFSETS_2D, "compare the same images"),
        ((2, 4, 8, 8), (2, 4, 8, 8), (2, 8, 9), OFFSETS_2D, "compare the same images"),
        ((2, 5, 8, 8), (2, 5, 8, 8), (2, 8, 8), OFFSETS_2D, "make the bank with dim=5"),
        ((2, 4, 8, 8), (2, 4, 8, 8), (2, 8, 8), OFFSETS_3D, "wanted offsets of 2 numbers"),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(
    student: tuple[int, ...], teacher: tuple[int, ...], labels: tuple[int, ...], offsets: Offsets, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        check(torch.zeros(student), torch.zeros(teacher), torch.zeros(labels), offsets, MemoryBank(2, DIM))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("term", TERMS)
def test_golden_values_and_gradients(term: str, ndim: int) -> None:
    golden, results = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))["results"]()
    for key in (f"{ndim}d/{term}", f"{ndim}d/{term}.gradient"):
        assert math.isfinite(golden[key].sum())
        torch.testing.assert_close(results[key], golden[key], rtol=1e-6, atol=1e-10)  # the bank is float32
