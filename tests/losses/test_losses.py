"""The weighted sum (Eq. 8), the registry of distillation methods, and what holds for all baselines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from segraft.errors import UserError
from segraft.graphs.memory_bank import MemoryBank
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.losses import (
    BISKD,
    DISTILLERS,
    GraphRelationLoss,
    KnowledgeReview,
    weighted_sum,
)
from segraft.losses.distiller import Distiller, Setup
from segraft.networks import create_network
from segraft.tensors import Output
from segraft.weights import METHOD_WEIGHTS
from shared.lessons import lesson


def test_terms_count_with_the_weight_of_their_name() -> None:
    terms = {"affinity": torch.tensor(2.0), "intra_node": torch.tensor(3.0), "foreground": torch.tensor(5.0)}
    assert weighted_sum(terms, {"affinity": 10.0, "intra_node": 0.1}).item() == pytest.approx(20 + 0.3 + 5)


def test_the_sum_has_the_weights_as_its_derivative() -> None:
    terms = {name: torch.tensor(1.0, requires_grad=True) for name in ("intra_edge", "inter_edge")}
    weighted_sum(terms, {"intra_edge": 0.1, "inter_edge": 0.0}).backward()
    assert [term.grad.item() for term in terms.values()] == pytest.approx([0.1, 0.0])  # type: ignore[union-attr]


def test_a_weight_of_no_term_is_refused() -> None:
    with pytest.raises(UserError, match=r"got unknown terms \['intra_nodes'\], expected some of \['intra_node'\]"):
        weighted_sum({"intra_node": torch.zeros(())}, {"intra_nodes": 1.0})


def test_the_graph_distiller_takes_embeddings() -> None:
    loss = GraphRelationLoss(offsets=OFFSETS_2D, memory=MemoryBank(4, 3), samples=2)
    student = torch.randn(2, 3, 9, 9, requires_grad=True)
    terms = loss(student, torch.randn(2, 3, 9, 9), torch.randint(0, 4, (2, 9, 9)))
    weighted_sum(terms, {}).backward()
    assert DISTILLERS["graph"] is GraphRelationLoss
    assert student.grad is not None
    assert student.grad.any()


def test_a_sum_of_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="terms: got none, expected at least one; give a loss term"):
        weighted_sum({}, {})


BASELINES = [name for name in DISTILLERS if name != "graph"]
OFFSETS = {2: OFFSETS_2D, 3: OFFSETS_3D}
CHANNELS = {"student": (3, 2), "teacher": (4, 6, 5)}


def baseline(name: str, ndim: int = 2) -> Distiller:
    """A baseline for the made-up students of 2 and teachers of 3 stages."""
    if name == "rekd":
        return KnowledgeReview(CHANNELS["student"], CHANNELS["teacher"], ndim).double()
    return BISKD(OFFSETS[ndim]) if name == "biskd" else DISTILLERS[name]()


def learn(loss: Distiller, student: Output, teacher: Output, labels: Tensor) -> dict[str, Tensor]:
    """Terms of a training step with these outputs."""
    return loss.learn(lesson(student, teacher, labels, OFFSETS[labels.ndim - 1]))


@pytest.fixture
def pair(made_up) -> Callable[..., tuple[Output, Output, Tensor]]:  # type: ignore[no-untyped-def]
    """Makes a student's output, its teacher's and labels, of the same images."""

    def make(ndim: int = 2, seed: int = 0, batch: int = 3) -> tuple[Output, Output, Tensor]:
        student = made_up(ndim, CHANNELS["student"], seed, (2, 5), batch)
        teacher = made_up(ndim, CHANNELS["teacher"], seed + 1, (2, 3, 5), batch)
        generator = torch.Generator().manual_seed(seed)
        labels = torch.randint(-1, 4, (batch, *student.embedding.shape[2:]), generator=generator)
        return student, teacher, labels

    return make


def each(output: Output, change: Callable[[Tensor], Tensor]) -> Output:
    """The output with every map changed."""
    return Output(change(output.embedding), change(output.foreground), tuple(map(change, output.stages)))


def gradients(total: Tensor, output: Output) -> list[Tensor | None]:
    inputs = (output.embedding, output.foreground, *output.stages)
    return list(torch.autograd.grad(total, inputs, allow_unused=True))


def test_every_baseline_has_weights_for_its_terms(pair) -> None:  # type: ignore[no-untyped-def]
    for name in BASELINES:
        assert set(learn(baseline(name), *pair())) == set(METHOD_WEIGHTS[name])


@pytest.mark.parametrize("name", DISTILLERS)
def test_methods_fit_a_pair_of_networks(name: str) -> None:
    student = create_network("resunet", in_channels=2, width=2)
    teacher = create_network("resunet", in_channels=2, width=4).eval().requires_grad_(False)
    loss = DISTILLERS[name].from_setup(Setup(student, teacher, patch=(32, 32), offsets=OFFSETS_2D, batch=2))
    image, labels = torch.randn(2, 2, 32, 32), torch.randint(0, 4, (2, 32, 32))
    terms = learn(loss, student.features(image), teacher.features(image), labels)
    weighted_sum(terms, METHOD_WEIGHTS[name]).backward()
    assert all(term.ndim == 0 and term > 0 for term in terms.values())
    moved = {key.partition(".")[0] for key, weights in student.named_parameters() if weights.grad is not None}
    assert {"entry", "down", "up"} <= moved
    assert all(weights.grad.isfinite().all() for weights in student.parameters() if weights.grad is not None)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", BASELINES)
def test_no_gradient_reaches_the_teacher(pair, name: str, ndim: int) -> None:  # type: ignore[no-untyped-def]
    student, teacher, labels = pair(ndim)
    student, teacher = (each(output, Tensor.requires_grad_) for output in (student, teacher))
    total = weighted_sum(learn(baseline(name, ndim), student, teacher, labels), {})
    assert gradients(total, teacher) == [None] * 5
    reached = [gradient is not None and bool(gradient.any()) for gradient in gradients(total, student)]
    assert reached == ([True, False, False, False] if name == "biskd" else [False, False, True, True])


@pytest.mark.parametrize("name", BASELINES)
def test_order_of_the_batch_does_not_matter(pair, name: str) -> None:  # type: ignore[no-untyped-def]
    student, teacher, labels = pair()
    loss = baseline(name)
    moved = [each(output, lambda maps: maps[[2, 0, 1]]) for output in (student, teacher)]
    torch.testing.assert_close(learn(loss, *moved, labels[[2, 0, 1]]), learn(loss, student, teacher, labels))
    mixed = learn(loss, moved[0], teacher, labels)
    assert not any(torch.isclose(mixed[term], value) for term, value in learn(loss, student, teacher, labels).items())


@pytest.mark.parametrize("name", BASELINES)
def test_numbers_of_the_instances_do_not_matter(pair, name: str) -> None:  # type: ignore[no-untyped-def]
    student, teacher, labels = pair()
    loss, table = baseline(name), torch.tensor([0, 2**40, 7, 5, -1])
    torch.testing.assert_close(learn(loss, student, teacher, table[labels]), learn(loss, student, teacher, labels))


@pytest.mark.parametrize("name", ["at", "spkd", "rekd"])
def test_stages_in_between_do_not_matter(pair, name: str) -> None:  # type: ignore[no-untyped-def]
    """Of a teacher's three stages a student with two is compared with the first and the last."""
    student, teacher, labels = pair()
    loss, (first, between, last) = baseline(name), teacher.stages
    before = learn(loss, student, teacher, labels)
    torch.testing.assert_close(learn(loss, student, teacher._replace(stages=(first, -between, last)), labels), before)
    torch.testing.assert_close(learn(loss, student, teacher._replace(stages=(first, last)), labels), before)
    changed = learn(loss, student, teacher._replace(stages=(first.roll(1, 0), between, last)), labels)
    assert not any(torch.isclose(changed[term], value) for term, value in before.items())


@pytest.mark.parametrize("name", ["at", "spkd", "biskd"])
def test_a_student_like_its_teacher_loses_nothing(pair, name: str) -> None:  # type: ignore[no-untyped-def]
    teacher, _, labels = pair()
    student = each(teacher, lambda maps: maps.clone().requires_grad_())
    terms = learn(baseline(name), student, teacher, labels)
    assert all(abs(term.item()) < 1e-15 for term in terms.values())
    found = gradients(weighted_sum(terms, {}), student)
    assert all(gradient.abs().max() < 1e-9 for gradient in found if gradient is not None)


@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("constant", [0.0, 1.0])
@pytest.mark.parametrize("which", ["student", "teacher", "both"])
@pytest.mark.parametrize("name", BASELINES)
def test_constant_and_empty_images_give_finite_losses_and_gradients(
    pair, name: str, which: str, constant: float, dtype: torch.dtype, autocast: bool
) -> None:  # type: ignore[no-untyped-def]
    student, teacher, labels = pair()
    labels[0] = 0
    flat = lambda output: each(output, lambda maps: torch.full_like(maps, constant))  # noqa: E731
    student = each(flat(student) if which != "teacher" else student, lambda maps: maps.to(dtype).requires_grad_())
    teacher = each(flat(teacher) if which != "student" else teacher, lambda maps: maps.to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        terms = learn(baseline(name).float(), student, teacher, labels)
    found = gradients(weighted_sum(terms, {}), student)
    assert all(term.isfinite() and term.dtype == torch.float32 for term in terms.values())
    assert all(gradient.isfinite().all() for gradient in found if gradient is not None)


@pytest.mark.parametrize("name", ["at", "spkd", "biskd"])
def test_autocast_changes_nothing(pair, name: str) -> None:  # type: ignore[no-untyped-def]
    student, teacher, labels = pair()
    student, teacher = each(student, lambda maps: maps.float().requires_grad_()), each(teacher, Tensor.float)
    wanted = learn(baseline(name), student, teacher, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = learn(baseline(name), student, teacher, labels)
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(
        *(gradients(weighted_sum(terms, {}), student) for terms in (found, wanted)), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("name", ["at", "spkd", "rekd"])
def test_networks_called_without_features_are_refused(pair, name: str) -> None:  # type: ignore[no-untyped-def]
    student, teacher, labels = pair()
    with pytest.raises(UserError, match=r"call network\.features"):
        learn(baseline(name), student._replace(stages=()), teacher, labels)
