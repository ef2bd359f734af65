"""BISKD: the terms within images of graph relation distillation, and nothing else."""

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
from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.memory_bank import MemoryBank
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses import BISKD, GraphRelationLoss
from segraft.tensors import Output
from shared.lessons import lesson

GOLDEN = Path(__file__).parents[1] / "golden"
TERMS = ("intra_node", "intra_edge", "intra_affinity")
OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D}
FEWER = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


def some_labels(output: Output, seed: int = 0) -> Tensor:
    shape = (output.embedding.shape[0], *output.embedding.shape[2:])
    return torch.randint(-1, 4, shape, generator=torch.Generator().manual_seed(seed))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def brute(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray, ndim: int) -> dict[str, float]:
    """The three terms of one image ``(D, *space)`` that has instances, with loops."""
    nodes = [[e[:, labels == i].mean(1) for i in np.unique(labels[labels > 0])] for e in (student, teacher)]
    distances = [np.sqrt(sum((a - b) ** 2)) for a, b in zip(*nodes, strict=True)]
    both = list(zip(*nodes, strict=True))
    edges = [(cosine(a, c) - cosine(b, d)) ** 2 for a, b in both for c, d in both]
    affinities = []
    for offset, *p in itertools.product(OFFSETS[ndim], *map(range, labels.shape)):
        q = [a + k for a, k in zip(p, offset, strict=True)]
        if all(0 <= a < size for a, size in zip(q, labels.shape, strict=True)):
            s, t = (cosine(e[:, *p], e[:, *q]) for e in (student, teacher))
            affinities.append((s - t) ** 2)
    return {name: float(np.mean(found)) for name, found in zip(TERMS, (distances, edges, affinities), strict=True)}


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_terms_equal_their_equations(made_up, ndim: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim), made_up(ndim, seed=1)
    labels = some_labels(student)
    found = BISKD(OFFSETS[ndim])(student, teacher, labels)
    images = [
        brute(s.numpy(), t.numpy(), each.numpy(), ndim)
        for s, t, each in zip(student.embedding, teacher.embedding, labels, strict=True)
    ]
    assert {name: term.item() for name, term in found.items()} == pytest.approx(
        {name: np.mean([image[name] for image in images]) for name in TERMS}, rel=1e-12
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_derivatives_are_right(made_up, ndim: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(ndim), made_up(ndim, seed=1)
    labels = some_labels(student)
    terms_of = lambda e: tuple(BISKD(OFFSETS[ndim])(student._replace(embedding=e), teacher, labels).values())  # noqa: E731
    assert torch.autograd.gradcheck(terms_of, (student.embedding.requires_grad_(),), fast_mode=True)


@FEWER
@given(seed=st.integers(0, 1000))
def test_the_terms_are_those_of_graph_relation_distillation(made_up, seed: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2, seed=seed), made_up(2, seed=seed + 1)
    labels = some_labels(student, seed)
    found = BISKD(OFFSETS_2D)(student, teacher, labels)
    graph = GraphRelationLoss(OFFSETS_2D, MemoryBank(2, 4))(student.embedding, teacher.embedding, labels)
    wanted = {name: term for name, term in graph.items() if name.startswith("intra")}
    assert set(found) == set(wanted) == set(TERMS)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_the_students_affinities_can_be_handed_over(made_up) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2), made_up(2, seed=1)
    labels, loss = some_labels(student), BISKD(OFFSETS_2D)
    found = loss.learn(lesson(student, teacher, labels, OFFSETS_2D))
    torch.testing.assert_close(found, loss(student, teacher, labels), rtol=0, atol=0)


def test_embeddings_will_do_in_place_of_outputs(made_up) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2), made_up(2, seed=1)
    labels, loss = some_labels(student), BISKD(OFFSETS_2D)
    found = loss(student.embedding, teacher.embedding, labels)
    torch.testing.assert_close(found, loss(student, teacher, labels), rtol=0, atol=0)


@pytest.mark.parametrize("label", [0, -1])
def test_without_instances_the_instance_terms_are_a_differentiable_zero(made_up, label: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2), made_up(2, seed=1)
    student.embedding.requires_grad_()
    terms = BISKD(OFFSETS_2D)(student, teacher, torch.full_like(some_labels(student), label))
    for term in ("intra_node", "intra_edge"):
        (gradient,) = torch.autograd.grad(terms[term], student.embedding, retain_graph=True)
        assert terms[term].item() == 0
        assert not gradient.any()
    assert terms["intra_affinity"] > 0


def test_there_is_no_state() -> None:
    assert not BISKD(OFFSETS_2D).state_dict()


def test_embeddings_of_other_sizes_are_refused(made_up) -> None:  # type: ignore[no-untyped-def]
    student, teacher = made_up(2), made_up(2, sizes=(2, 6))
    with pytest.raises(UserError, match="compare the same images"):
        BISKD(OFFSETS_2D)(student, teacher, some_labels(student))
    with pytest.raises(UserError, match="expected 2 numbers each"):
        BISKD(OFFSETS_3D)(student, student, some_labels(student))


@pytest.mark.parametrize("ndim", [2, 3])
def test_golden_values_and_gradients(ndim: int) -> None:
    """On the inputs of the golden graph terms."""
    golden, make = load_file(GOLDEN / "losses.safetensors"), runpy.run_path(str(GOLDEN / "make.py"))
    space = make["SPACES"][f"{ndim}d"]
    embedding = make["waves"]((2, 4, *space), 0.37).requires_grad_()
    student, teacher = (Output(e, e[:, :1]) for e in (embedding, make["waves"]((2, 4, *space), 0.41)))
    for term, value in BISKD(OFFSETS[ndim])(student, teacher, make["blocks"](space)).items():
        (gradient,) = torch.autograd.grad(value, embedding, retain_graph=True)
        torch.testing.assert_close(value.detach(), golden[f"{ndim}d/{term}"], rtol=1e-9, atol=1e-14)
        torch.testing.assert_close(gradient, golden[f"{ndim}d/{term}.gradient"], rtol=1e-9, atol=1e-14)
