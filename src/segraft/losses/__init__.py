"""What a student learns from: the labels (``supervised``) and the teacher (``DISTILLERS``)."""

from __future__ import annotations

from collections.abc import Mapping

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

BASELINE_WEIGHTS: dict[str, dict[str, float]] = {
    # β of the paper's CIFAR experiments and of RepDistiller's script
    "at": {"attention": 1000.0},
    # γ of the paper's CIFAR experiments and of RepDistiller's script, for batches of 64; b images: 3000 · b / 64
    "spkd": {"similarity": 3000.0},
    # REVIEWKD_LOSS_WEIGHT of the authors' Mask R-CNN students: 1 for MobileNetV2 and ResNet-50, 1.5 for ResNet-18
    "rekd": {"review": 1.0},
    # node_weight, edge_weight and affinity_weight of the authors' configuration for CREMI (for CVPPP: 0.1, 0.1, 20)
    "biskd": {"intra_node": 0.1, "intra_edge": 0.1, "intra_affinity": 10.0},
}
"""Published weights of the baselines' terms."""


def weighted_sum(terms: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Total loss (Eq. 8): the terms, each times the weight of the same name; a term without a weight counts once."""
    unknown = set(weights) - set(terms)
    if unknown:
        raise UserError(f"weights for unknown terms {sorted(unknown)}; the terms are {sorted(terms)}")
    return sum((weights.get(name, 1.0) * term for name, term in terms.items()), start=next(iter(terms.values())) * 0)
