"""The weighted sum (Eq. 8) and the registry of distillation methods."""

from __future__ import annotations

import pytest
import torch

from segraft.affinity import OFFSETS_2D
from segraft.errors import UserError
from segraft.losses import DISTILLERS, GraphRelationLoss, weighted_sum
from segraft.memory import MemoryBank


def test_terms_count_with_the_weight_of_their_name() -> None:
    terms = {"affinity": torch.tensor(2.0), "intra_node": torch.tensor(3.0), "foreground": torch.tensor(5.0)}
    assert weighted_sum(terms, {"affinity": 10.0, "intra_node": 0.1}).item() == pytest.approx(20 + 0.3 + 5)


def test_the_sum_has_the_weights_as_its_derivative() -> None:
    terms = {name: torch.tensor(1.0, requires_grad=True) for name in ("intra_edge", "inter_edge")}
    weighted_sum(terms, {"intra_edge": 0.1, "inter_edge": 0.0}).backward()
    assert [term.grad.item() for term in terms.values()] == pytest.approx([0.1, 0.0])  # type: ignore[union-attr]


def test_a_weight_of_no_term_is_refused() -> None:
    with pytest.raises(UserError, match=r"unknown terms \['intra_nodes'\]; the terms are \['intra_node'\]"):
        weighted_sum({"intra_node": torch.zeros(())}, {"intra_nodes": 1.0})


def test_distillers_share_one_signature() -> None:
    assert DISTILLERS["graph"] is GraphRelationLoss
    for build in DISTILLERS.values():
        loss = build(offsets=OFFSETS_2D, memory=MemoryBank(4, 3), contrast=2, background="object")
        student = torch.randn(2, 3, 9, 9, requires_grad=True)
        terms = loss(student, torch.randn(2, 3, 9, 9), torch.randint(0, 4, (2, 9, 9)))
        weighted_sum(terms, {}).backward()
        assert student.grad is not None
        assert student.grad.any()
