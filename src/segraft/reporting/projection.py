"""Embeddings as colours: their first three principal components as red, green and blue (as Fig. 5 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Projection:
    """Principal components of unit embeddings, fitted on one model and applied to others of the same dimension."""

    mean: np.ndarray
    axes: np.ndarray
    """``(3, D)``, by falling variance; rows of zeros where D < 3."""
    low: np.ndarray
    high: np.ndarray
    """Range ``(3,)`` that becomes dark to bright: the middle 98 % of what the projection was fitted on."""

    def __call__(self, embedding: np.ndarray) -> np.ndarray:
        """Colours ``(*space, 3)`` in [0, 1] of an embedding ``(D, *space)``."""
        places = self.axes @ (_units(embedding) - self.mean[:, None])
        colours = (places - self.low[:, None]) / (self.high - self.low)[:, None]
        return np.moveaxis(colours.clip(0, 1).reshape(3, *embedding.shape[1:]), 0, -1)


def fit_projection(embedding: np.ndarray) -> Projection:
    """Fit the projection on all pixels of an embedding ``(D, *space)``."""
    units = _units(embedding)
    mean = units.mean(1)
    centred = units - mean[:, None]
    _, vectors = np.linalg.eigh(centred @ centred.T)  # by rising variance
    axes = np.zeros((3, len(units)))
    axes[: min(3, len(units))] = vectors.T[::-1][:3]
    strongest = np.take_along_axis(axes, np.abs(axes).argmax(1, keepdims=True), 1)
    axes *= np.where(strongest < 0, -1, 1)  # a component's sign is arbitrary: take the one that anyone gets
    low, high = np.percentile(axes @ centred, (1, 99), axis=1)
    return Projection(mean, axes, low, np.maximum(high, low + 1e-6))


def _units(embedding: np.ndarray) -> np.ndarray:
    """Unit vectors ``(D, pixels)``: affinities know an embedding's direction only."""
    vectors = embedding.reshape(len(embedding), -1).astype(np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-6)
