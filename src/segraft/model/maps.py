"""What a network says of an image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from segraft.images.normalisation import Scale
from segraft.types import Stored


@dataclass(frozen=True)
class Maps:
    """What the network says of an image, before it is segmented."""

    affinities: Stored
    """``(N, *space)``, in [-1, 1]."""
    probability: np.ndarray
    """Of being foreground, ``(*space)``."""
    embedding: np.ndarray | None
    """``(D, *region)`` of the region that was asked for; None if none was."""
    scale: Scale
    """How the grey values were mapped."""
