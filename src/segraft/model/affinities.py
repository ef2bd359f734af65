"""From what a runner returns to affinities and probabilities: NumPy in, NumPy out."""

from __future__ import annotations

import numpy as np
import torch

from segraft.graphs.affinity import embedding_affinities
from segraft.types import Offsets


def affinities(embedding: np.ndarray, offsets: Offsets) -> np.ndarray:
    """Affinities ``(N, *space)``, in [-1, 1], of an embedding ``(D, *space)``; 0 where a partner lies outside."""
    return embedding_affinities(torch.from_numpy(embedding)[None], offsets)[0].numpy()


def probability(logits: np.ndarray) -> np.ndarray:
    """Foreground probability of logits, of any shape."""
    return torch.from_numpy(logits).sigmoid().numpy()
