"""What networks cost, counted once in each process: every training asks, and most train the same few."""

from __future__ import annotations

from segraft.networks import complexity
from segraft.networks.contract import Network

KNOWN: dict[tuple[str, tuple[int, ...]], tuple[int, int]] = {}


def known_complexity(network: Network, shape: tuple[int, ...]) -> tuple[int, int]:
    """``complexity``, which depends on nothing but the layers of a network and the shape of its input."""
    key = f"{type(network)} {network}", shape
    if key not in KNOWN:
        KNOWN[key] = complexity(network, shape)
    return KNOWN[key]
