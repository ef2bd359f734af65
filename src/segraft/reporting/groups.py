"""Runs that differ only by their seed are one model, seen several times."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from itertools import takewhile
from typing import Any

BESIDES = ("seed", "out", "config", "resume", "device", "workers", "threads")
"""Settings in which the runs of one model may differ: the seed, and where and how they were run."""
SEED = re.compile(r"[-_ .]*(seed)?[-_ .]*\d*$", re.IGNORECASE)
"""The end of what names of runs have in common: words and digits that belong to the seed."""


def grouped(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Names of the runs of each model, by the model's name, in the order of their first runs.

    A run of the same settings and the same seed as another is a model of its own: it may be tuned, for example.

    Parameters
    ----------
    settings : recorded settings by the name of the run
    """
    groups: dict[tuple[str, int], list[str]] = {}
    seen: Counter[tuple[str, Any]] = Counter()
    for run, recorded in settings.items():
        same = json.dumps({k: v for k, v in recorded.items() if k not in BESIDES}, sort_keys=True, default=str)
        seed = recorded.get("seed")
        groups.setdefault((same, seen[same, seed]), []).append(run)
        seen[same, seed] += 1
    named: dict[str, list[str]] = {}
    for runs in groups.values():
        named[_name(runs, {*named, *settings})] = runs
    return named


def _name(runs: Sequence[str], taken: Container[str]) -> str:
    """What runs have in common in their names, without the seed; the first one's name where that says nothing."""
    common = takewhile(lambda letters: len(set(letters)) == 1, zip(*runs, strict=False))
    stem = SEED.sub("", "".join(letters[0] for letters in common))
    return stem if len(runs) > 1 and stem and stem not in taken else runs[0]
