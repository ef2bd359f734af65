"""Inference times of the networks of Table I on this machine, measured once and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segraft.errors import UserError
from segraft.files import read_json, write_text
from segraft.model.hardware import hardware
from segraft.model.timing import forward_seconds
from segraft.paper.networks import NetworkRow
from segraft.paper.networks_document import Timed

REPEATS = 3
"""Of a pass over one image: all six networks then take some minutes on one core."""
NAME = "table1-times.json"
"""In the folder of runs."""


@dataclass(frozen=True)
class Times:
    """What was timed, in a file in the folder of runs."""

    path: Path

    def read(self) -> list[Timed]:
        """All that was timed before; ``UserError`` where the file is damaged."""
        if not self.path.exists():
            return []
        expected = f"times of segraft table 1 --run; delete {self.path.name} and run it again"
        try:
            found = read_json(self.path, expected)
            if not isinstance(found, list):
                raise TypeError(f"a {type(found).__name__}")
            return [_timed(each) for each in found]
        except (TypeError, KeyError, ValueError) as error:
            raise UserError(f"{self.path} holds no times ({error}), expected {expected}") from error

    def measure(self, rows: Sequence[NetworkRow], repeats: int, device: str) -> list[Timed]:
        """Time the networks that were not timed on this machine so often; each is kept at once. Return all."""
        known = self.read()
        here = hardware(device)
        for row in rows:
            if any(_serves(each, row, here, repeats) for each in known):
                continue
            print(f"timing {row.title}, {' × '.join(map(str, row.shape))}, {repeats} times", flush=True)
            seconds = forward_seconds(row.network, row.shape, repeats, device)
            others = [each for each in known if not _serves(each, row, here, 1)]
            known = [*others, Timed(row.network, row.shape, tuple(seconds), here)]
            write_text(self.path, json.dumps([asdict(each) for each in known], indent=1) + "\n")
        return known


def _timed(values: dict[str, Any]) -> Timed:
    seconds = tuple(map(float, values["seconds"]))
    if not seconds or not all(each > 0 for each in seconds):
        raise ValueError(f"seconds {values['seconds']}")
    return Timed(str(values["network"]), tuple(values["shape"]), seconds, dict(values["hardware"]))


def _serves(timed: Timed, row: NetworkRow, here: dict[str, Any], repeats: int) -> bool:
    """Whether a network was timed on this machine at least so often."""
    return (timed.network, timed.shape, timed.hardware) == (row.network, row.shape, here) and (
        len(timed.seconds) >= repeats
    )
