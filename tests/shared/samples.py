"""Made-up samples: small images of noise and boxes with their labels."""

from __future__ import annotations

import numpy as np

from segraft.types import Sample


def row_of_cells(ndim: int, channels: int = 1, name: str = "cells") -> Sample:
    """Cells in a row with dark gaps."""
    space = {2: (40, 48), 3: (8, 24, 30)}[ndim]
    labels = np.broadcast_to(np.arange(space[-1]) // 10 + 1, space).astype(np.int32).copy()
    labels[..., ::10] = 0
    image = np.random.default_rng(0).poisson(20 + 100 * (labels > 0), (channels, *space)).astype(np.uint8)
    return Sample(image, labels, name)


def field(index: int) -> Sample:
    """Noise with labels in boxes of 8 × 8 pixels; number 1 has no labels."""
    rng = np.random.default_rng(index)
    labels = np.kron(rng.integers(0, 3, (5, 6)), np.ones((8, 8), int))
    return Sample(rng.random((1, 40, 48)), None if index == 1 else labels, f"field{index}")
