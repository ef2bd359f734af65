"""Small members of each family of networks, and patches that they take."""

from __future__ import annotations

SMALL_FILTERS: dict[str, tuple[int, ...]] = {
    "resunet": (4, 6, 8),
    "resunet-tiny": (2, 3, 4),
    "resunet-swift": (2, 3, 4),
    "nested-unet": (3, 4, 5),
    "mobilenet": (4, 4, 4, 5, 5, 6, 6, 7, 8),
    "mala": (4, 5, 6),
    "mala-tiny": (3, 4, 5),
}
SMALL_PATCH = {2: (32, 32), 3: (24, 70, 70)}
"""By the number of dimensions."""
