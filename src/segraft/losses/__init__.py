"""What a student learns from: the labels (``supervised``) and the teacher (``DISTILLERS``)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import Tensor

from segraft.errors import UserError
from segraft.losses.attention import AttentionTransfer
from segraft.losses.biskd import BISKD
from segraft.losses.distiller import Distiller
from segraft.losses.graph_relation import GraphRelationLoss
from segraft.losses.review import KnowledgeReview
from segraft.losses.similarity import SimilarityPreserving

DISTILLERS: dict[str, type[Distiller]] = {
    "graph": GraphRelationLoss,
    "at": AttentionTransfer,
    "spkd": SimilarityPreserving,
    "rekd": KnowledgeReview,
    "biskd": BISKD,
}
"""Distillation methods by name; each is made by ``from_setup``, and ``learn`` returns its unweighted terms."""


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Total loss (Eq. 8): scalar terms, each times the weight of the same name; a term without a weight counts once.

    Raises ``UserError`` for a weight of no term, and where there is no term.
    """
    unknown = set(weights) - set(terms)
    if unknown:
        raise UserError(
            f"weights: got unknown terms {sorted(unknown)}, expected some of {sorted(terms)}; correct their names"
        )
    if not terms:
        raise UserError("terms: got none, expected at least one; give a loss term")
    return reduce(torch.add, (weights.get(name, 1.0) * term for name, term in terms.items()))
