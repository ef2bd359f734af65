"""Published weights of the loss terms, by the names of the terms; each method's beside the supervised ones (Eq. 8)."""

from __future__ import annotations

SUPERVISED_WEIGHTS = {"affinity": 1.0, "foreground": 1.0}
GRAPH_WEIGHTS = {
    "intra_node": 0.1,
    "intra_edge": 0.1,
    "intra_affinity": 10.0,
    "inter_edge": 1.0,
    "inter_affinity": 1.0,
}
"""Weights of Eq. 8."""
METHOD_WEIGHTS: dict[str, dict[str, float]] = {
    "graph": GRAPH_WEIGHTS,
    # β of RepDistiller's script
    "at": {"attention": 1000.0},
    # γ = 3000 of RepDistiller's script is for batches of 64; the term shrinks as 1 / batch, ours have 4 images
    "spkd": {"similarity": 190.0},
    # REVIEWKD_LOSS_WEIGHT of the authors' Mask R-CNN students: 1 for MobileNetV2 and ResNet-50, 1.5 for ResNet-18
    "rekd": {"review": 1.0},
    # node_weight, edge_weight and affinity_weight of the authors' configuration for CREMI (for CVPPP: 0.1, 0.1, 20)
    "biskd": {"intra_node": 0.1, "intra_edge": 0.1, "intra_affinity": 10.0},
    "none": {},
}
"""Published weights of each method's terms."""
NEED_LABELS = (*SUPERVISED_WEIGHTS, "intra_node", "intra_edge", "inter_edge")
"""Terms to which an image without labels adds nothing: it has neither truth nor known instances."""
