"""Search for the best settings of a segmentation: one after the other, on and on while it gets better."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from segraft.metrics.scores import choosing
from segraft.model.config import Segmentation
from segraft.model.trials import Trials
from segraft.segment import SEGMENTERS

COMMON = ("foreground_threshold", "thickness", "minimum_size")
"""Settings that all segmenters share; others are a segmenter's own."""
OWN: dict[str, tuple[str, ...]] = {
    "mutex": ("bias",),
    "waterz": ("threshold", "boundary"),
    "multicut": ("beta", "boundary"),
    "lifted-multicut": ("beta", "boundary"),
}
"""Each segmenter's own settings that are searched."""
UNSEARCHED = ("strides", "score")
"""Settings of segmenters that stay as they are stored: they are no numbers to go up or down."""
KINDS = {"thickness": float, "minimum_size": int}
STEPS = (0.1, 0.05)
"""Of probabilities: first coarse, then fine."""
SMALL = 5
"""Minimum size, in pixels, below which the next lower one is 0, and above 0 the first one."""
Number = float | int
Move = Callable[[Number, float], Number | None]
"""From a value and the step of probabilities to the next value to try; None where there is none."""


@dataclass(frozen=True)
class Axis:
    """A setting by name, and where its next lower and next higher value lie."""

    name: str
    lower: Move
    higher: Move

    @classmethod
    def of(cls, name: str, values: Sequence[Number] | None = None) -> Axis:
        """The axis of a setting: through the values given, else as far as it has values."""
        if values is not None:
            chosen = sorted(values)
            return cls(
                name,
                lambda at, step: max((value for value in chosen if value < at), default=None),
                lambda at, step: min((value for value in chosen if value > at), default=None),
            )
        if name == "minimum_size":
            return cls(name, _smaller, lambda at, step: max(SMALL, 2 * at))
        if name == "thickness":
            return cls(name, lambda at, step: at - 1 if at >= 1 else None, lambda at, step: at + 1)
        return cls(name, lambda at, step: _probability(at - step), lambda at, step: _probability(at + step))


def _smaller(size: Number, step: float) -> Number | None:
    if size <= 0:
        return None
    return 0 if size <= SMALL else max(SMALL, size // 2)


def _probability(value: Number) -> Number | None:
    value = round(value, 4)
    return value if 0 <= value <= 1 else None


def best_of(trials: Trials, starts: Sequence[Segmentation], values: Mapping[str, Sequence[Number]]) -> Segmentation:
    """The best segmentation by the score of the trials, see `search`; ``values`` of a setting are the only ones."""
    rank = choosing(trials.score).rank
    axes = [Axis.of(name, values.get(name)) for name in values_of(starts[0]) if name not in UNSEARCHED]
    return search(starts, axes, lambda candidate: rank(trials.scores(candidate)[trials.score]))


def with_own(segmentation: Segmentation, names: Iterable[str] = ()) -> Segmentation:
    """The same, whose segmenter's searched settings, and others of these ``names``, have values: their defaults."""
    known = inspect.signature(SEGMENTERS[segmentation.segmenter]).parameters
    own = [name for name in known if name in names or name in OWN.get(segmentation.segmenter, ())]
    missing = [name for name in own if name not in (*COMMON, *segmentation.settings)]
    return with_values(segmentation, {name: known[name].default for name in missing})


def search(starts: Iterable[Segmentation], axes: Sequence[Axis], rate: Callable[[Segmentation], float]) -> Segmentation:
    """Return the best segmentation found; ``rate``, higher is better, is asked once for each that is tried.

    From the best of the ``starts`` each axis is followed in both directions while the rating rises, until no neighbour
    on any axis is better: the best is at no edge, unless of the values that exist. Of equal ones the first stays.
    """
    known: dict[str, float] = {}

    def rated(candidate: Segmentation) -> float:
        key = repr(values_of(candidate))
        if key not in known:
            known[key] = rate(candidate)
        return known[key]

    best = max(starts, key=rated)
    for step in STEPS:
        before = None
        while best != before:
            before = best
            for axis in axes:
                best = _along(axis, best, step, rated)
    return best


def _along(axis: Axis, best: Segmentation, step: float, rated: Callable[[Segmentation], float]) -> Segmentation:
    """Follow one axis downwards and upwards while the rating rises."""
    for move in (axis.lower, axis.higher):
        while (value := move(values_of(best)[axis.name], step)) is not None:
            candidate = with_values(best, {axis.name: value})
            if rated(candidate) <= rated(best):
                break
            best = candidate
    return best


def values_of(segmentation: Segmentation) -> dict[str, Any]:
    """The settings of a segmentation by name, the segmenter's own among them."""
    return {name: getattr(segmentation, name) for name in COMMON} | segmentation.settings


def with_values(segmentation: Segmentation, values: Mapping[str, Any]) -> Segmentation:
    """The same with other values of settings by name."""
    common = {name: value for name, value in values.items() if name in COMMON}
    own = {name: value for name, value in values.items() if name not in COMMON}
    common |= {name: kind(common[name]) for name, kind in KINDS.items() if name in common}
    return replace(segmentation, **common, settings=segmentation.settings | own)
