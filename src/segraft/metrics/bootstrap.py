"""How sure a difference of means over images is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def paired_difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, draws: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """Mean of ``first − second``, image by image, and its 95 % percentile bootstrap interval over images."""
    differences = np.subtract(first, second)
    picks = np.random.default_rng(seed).integers(len(differences), size=(draws, len(differences)))
    low, high = np.percentile(differences[picks].mean(1), (2.5, 97.5))
    return float(differences.mean()), float(low), float(high)
