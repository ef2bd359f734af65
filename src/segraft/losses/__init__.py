"""What a student learns from: the labels (``supervised``) and the teacher (``DISTILLERS``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor, nn

from segraft.errors import UserError
from segraft.losses.attention import AttentionTransfer
from segraft.losses.biskd import BISKD
from segraft.losses.graph_relation import GraphRelationLoss
from segraft.losses.review import KnowledgeReview
from segraft.losses.similarity import SimilarityPreserving

DISTILLERS: dict[str, type[nn.Module]] = {
    "graph": GraphRelationLoss,
    "at": AttentionTransfer,
    "spkd": SimilarityPreserving,
    "rekd": KnowledgeReview,
    "biskd": BISKD,
}
"""Distillation methods by name; each is called with (student, teacher, labels) and returns unweighted terms."""


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Total loss (Eq. 8): the terms, each times the weight of the same name; a term without a weight counts once."""
    unknown = set(weights) - set(terms)
    if unknown:
        raise UserError(f"weights for unknown terms {sorted(unknown)}; the terms are {sorted(terms)}")
    if not terms:
        raise UserError("no loss term came; wanted at least one")
    return reduce(torch.add, (weights.get(name, 1.0) * term for name, term in terms.items()))
