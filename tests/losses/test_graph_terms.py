"""The paper's five terms: against the equations over all pairs, derivatives, shapes."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.memory_bank import INSTANCES, PIXELS, MemoryBank
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses import GraphRelationLoss
from segraft.losses.graph_terms import (
    check,
    graph_pair,
    inter_affinity,
    inter_edge,
    intra_affinity,
    intra_edge,
    intra_node,
    intra_terms,
)
from segraft.types import Offsets
from shared.graph_case import OFFSETS, TERMS, Case


def cosine(a: Tensor, b: Tensor) -> Tensor:
    return a @ b / (a.norm() * b.norm())


def nodes(embedding: Tensor, labels: Tensor) -> list[Tensor]:
    return [embedding[:, labels == i].mean(1) for i in range(1, 5) if (labels == i).any()]


def pixels(embedding: Tensor) -> list[Tensor]:
    return list(embedding.flatten(1).T)


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def brute_intra_node(case: Case) -> Tensor:
    """Eq. 3, first part, instance by instance."""
    values = []
    for s, t, labels in zip(case.student, case.teacher, case.labels, strict=True):
        if distances := [(a - b).norm() for a, b in zip(nodes(s, labels), nodes(t, labels), strict=True)]:
            values.append(mean(distances))
    return mean(values)


def brute_intra_edge(case: Case) -> Tensor:
    """Eq. 3, second part, all pairs of instances."""
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


@pytest.mark.parametrize(
    ("student", "teacher", "labels", "offsets", "text"),
    [
        ((2, 4, 8, 8), (2, 4, 8, 9), (2, 8, 8), OFFSETS_2D, "compare the same images"),
        ((2, 4, 8, 8), (2, 4, 8, 8), (2, 8, 9), OFFSETS_2D, "compare the same images"),
        ((2, 4, 8, 8), (2, 4, 8, 8), (2, 8, 8), OFFSETS_3D, "expected 2 numbers each"),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(
    student: tuple[int, ...], teacher: tuple[int, ...], labels: tuple[int, ...], offsets: Offsets, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        check(torch.zeros(student), torch.zeros(teacher), torch.zeros(labels), offsets)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_terms_are_functions_of_two_graphs(ndim: int) -> None:
    case = Case(ndim, lonely=True)
    loss = case.loss().eval()
    wanted = loss(case.student, case.teacher, case.labels)
    pair = graph_pair(case.student, case.teacher, case.labels, case.offsets)
    remembered = loss.memory.sample(99).double()
    found = {
        "intra_node": intra_node(*pair),
        "intra_edge": intra_edge(*pair),
        "intra_affinity": intra_affinity(*pair, case.offsets),
        "inter_edge": inter_edge(*pair, remembered[:, INSTANCES]),
        "inter_affinity": inter_affinity(*pair, remembered[:, PIXELS]),
    }
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    within = {name: term for name, term in wanted.items() if name.startswith("intra")}
    torch.testing.assert_close(intra_terms(*pair, case.offsets), within, rtol=0, atol=0)
