"""Table I: what six networks cost, published and counted; no training."""

from __future__ import annotations

from dataclasses import dataclass

from segraft.paper.pairs import PLAIN
from segraft.paper.published import PublishedValue, lines, published

CHANNELS = {2: 3, 3: 1}
"""Of the images at which the paper counts, by dimension: CVPPP's plants, CREMI's sections."""
METRICS = {"params": "params M", "flops": "GMACs", "inference_time": "seconds for the test set"}
"""The table's columns, and what they are."""


@dataclass(frozen=True)
class NetworkRow:
    """A row of Table I."""

    title: str
    """What the paper calls the network."""
    network: str
    """Its name here."""
    role: str
    """teacher or student."""
    shape: tuple[int, ...]
    """``(channels, *space)`` of the image at which multiply-adds are counted."""

    def published(self, metric: str) -> PublishedValue:
        """The published value of a name of ``METRICS``."""
        return published(1, metric, network=self.title)


def _row(title: str) -> NetworkRow:
    network = next(name for name, plain in PLAIN.items() if plain == title)
    line = next(line for line in lines("table1") if line["network"] == title)
    space = tuple(map(int, line["input"].split("x")))
    return NetworkRow(title, network, line["role"], (CHANNELS[len(space)], *space))


NETWORK_ROWS = tuple(_row(title) for title in dict.fromkeys(line["network"] for line in lines("table1")))
"""The rows, in the paper's order."""
