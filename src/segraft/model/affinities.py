"""From what a runner returns to affinities and probabilities: NumPy in, NumPy out, whatever the runner."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from segraft.errors import UserError
from segraft.graphs.offsets import ends
from segraft.types import Offsets

SHORTEST = 1e-6
"""Smallest length that a vector is divided by, as in `segraft.graphs.embedding.unit`."""


def affinities(embedding: np.ndarray, offsets: Offsets) -> np.ndarray:
    """Affinities ``(N, *space)``, in [-1, 1], of an embedding ``(D, *space)``; 0 where a partner lies outside.

    The same as `segraft.graphs.affinity.embedding_affinities`, up to rounding.
    """
    units = embedding / np.maximum(np.sqrt(_dot(embedding, embedding)), SHORTEST)
    result = np.zeros((len(offsets), *embedding.shape[1:]), np.float32)
    for affinity, offset in zip(result, offsets, strict=True):
        here, there = ends(offset)
        _dot(units[:, *here], units[:, *there], affinity[here])
    return result


def check(probability: np.ndarray) -> None:
    """Raise ``UserError`` where a network gives no numbers."""
    if np.isnan(probability.max()):
        raise UserError("network output: got NaN, expected numbers; the weights are damaged: train again")


def _dot(left: np.ndarray, right: np.ndarray, into: np.ndarray | None = None) -> np.ndarray:
    """Dot products along the first axis."""
    return np.einsum("c...,c...->...", left, right, out=into)


def probability(logits: np.ndarray) -> np.ndarray:
    """Foreground probability of logits, of any shape."""
    return expit(logits)
