"""Neurons of a volume drawn in 3-D: true ones, and the predicted pieces of them (as Fig. 4 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from segraft.labels.contingency import Contingency, contingency
from segraft.labels.mistakes import Mistakes, mistakes_of
from segraft.reporting.panels import Panel, Row
from segraft.reporting.pictures import LEGEND
from segraft.reporting.surfaces import Mark, Surface, render, surface

NEURONS = 3
"""True neurons, the largest of the volume, that are drawn."""
SHARE = 0.01
"""Part of a neuron's voxels below which a piece of it, or of another neuron merged with it, is a crumb."""
COLOURS = ("#7cb342", "#ab47bc", "#26a69a")
"""Of the neurons: unlike those that mark mistakes."""
PIECES = ("#e69f00", "#f0c75e", "#b5651d", "#ffe3a3")
"""Of the second, third, ... piece of a neuron."""
MERGED = LEGEND["merged"]
"""Of what a predicted object holds beside the neuron."""
SPLIT_MARK, MERGED_MARK = Mark("o", LEGEND["split"]), Mark("s", MERGED)
MANY = 100_000
"""Places that tell how a neuron lies; more say the same."""
FAINT = 0.12
"""Opacity of what is merged with a neuron: the neuron remains in sight."""
MEANING = {
    "further pieces of a split neuron (●)": LEGEND["split"],
    "what is merged with it (■ where they meet)": MERGED,
}
"""For a legend."""


@dataclass(frozen=True)
class Pieces:
    """Into what a true neuron falls: ids of the predicted objects in it, by falling size, and which of them merge."""

    objects: tuple[int, ...]
    merging: tuple[int, ...]

    @property
    def words(self) -> str:
        """Both in words."""
        if len(self.objects) < 2:
            return ", ".join(["one piece" if self.objects else "missed", *["merged"] * len(self.merging)])
        return f"{len(self.objects)} pieces" + (f", {len(self.merging)} of them merged" if self.merging else "")


@dataclass(frozen=True)
class Comparison:
    """A predicted and a true label image ``(z, y, x)``, compared once."""

    predicted: np.ndarray
    truth: np.ndarray

    @cached_property
    def table(self) -> Contingency:
        """Their overlaps."""
        return contingency(self.predicted, self.truth)

    def mistakes(self, least: int) -> Mistakes:
        """Mistakes without overlaps of fewer than ``least`` voxels."""
        return mistakes_of(self.table.where(self.table.counts >= least))

    def pieces(self, neuron: int) -> Pieces:
        """Predicted objects that hold ``SHARE`` of a true neuron at least; merging ones reach as far into another."""
        table = self.table
        size = table.counts[table.truth_ids == neuron].sum()
        large = (table.counts >= SHARE * size) & (table.predicted_ids > 0) & (table.truth_ids > 0)
        inside = large & (table.truth_ids == neuron)
        order = np.lexsort((table.predicted_ids[inside], -table.counts[inside]))
        objects = tuple(table.predicted_ids[inside][order].tolist())
        merged = self.mistakes(max(1, int(SHARE * size))).merged
        return Pieces(objects, tuple(each for each in objects if each in merged))


def largest(truth: np.ndarray, count: int = NEURONS) -> list[int]:
    """Ids of the largest objects of true labels, by falling size."""
    ids, sizes = np.unique(truth[truth > 0], return_counts=True)
    return ids[np.lexsort((ids, -sizes))][:count].tolist()


def neuron_rows(
    name: str, truth: np.ndarray, predicted: Mapping[str, np.ndarray], voxel_size: Sequence[float | int]
) -> list[Row]:
    """Draw the largest neurons together, then one by one, in the truth and in what each model predicts.

    Parameters
    ----------
    name : of the volume
    truth : labels ``(z, y, x)``
    predicted : labels by model
    voxel_size : per axis, in any unit
    """
    box = tuple(size * unit for size, unit in zip(truth.shape, voxel_size, strict=True))
    neurons = [
        _neuron(truth, number, colour, voxel_size) for number, colour in zip(largest(truth), COLOURS, strict=False)
    ]
    solids = [each.solid for each in neurons]
    rows = [Row(name, [Panel(render(solids, (), None, box), f"{len(neurons)} largest neurons")])]
    rows += [
        Row(f"neuron {each.number}", [Panel(render([each.solid], (), each.side, box), each.words)]) for each in neurons
    ]
    for of_model in (Comparison(labels, truth) for labels in predicted.values()):
        found = [of_model.pieces(each.number) for each in neurons]
        drawn = [_drawn(of_model, *each, voxel_size) for each in zip(neurons, found, strict=True)]
        split, merged = sum(len(each.objects) > 1 for each in found), sum(bool(each.merging) for each in found)
        together = render([piece for inside, _, _ in drawn for piece in inside], (), None, box)
        panels = [Panel(together, f"{split} split, {merged} merged")]
        for neuron, pieces, (inside, outside, marks) in zip(neurons, found, drawn, strict=True):
            panels.append(Panel(render([*inside, *outside], marks, neuron.side, box), pieces.words))
        rows = [Row(row.name, [*row.panels, panel]) for row, panel in zip(rows, panels, strict=True)]
    return rows


@dataclass(frozen=True)
class Neuron:
    """A true neuron, and the direction ``(3,)`` from which most of it is seen."""

    number: int
    colour: str
    words: str
    solid: Surface
    side: np.ndarray


def _neuron(truth: np.ndarray, number: int, colour: str, voxel_size: Sequence[float | int]) -> Neuron:
    mask = truth == number
    words = f"{int(mask.sum()):,} voxels"
    return Neuron(number, colour, words, surface(mask, voxel_size, colour), _side(mask, voxel_size))


def _drawn(
    of_model: Comparison, neuron: Neuron, pieces: Pieces, voxel_size: Sequence[float | int]
) -> tuple[list[Surface], list[Surface], list[Mark]]:
    """Surfaces of a neuron's pieces, of what is merged with them, and marks of further pieces and merges."""
    inside, outside, marks = [], [], []
    true = of_model.truth == neuron.number
    for number, each in enumerate(pieces.objects):
        here = of_model.predicted == each
        shade = neuron.colour if number == 0 else PIECES[(number - 1) % len(PIECES)]
        inside.append(surface(here & true, voxel_size, shade))
        if number:
            marks.append(SPLIT_MARK.at(_centre(here & true, voxel_size)))
        if each in pieces.merging:
            beyond = here & (of_model.truth > 0) & ~true
            outside.append(surface(beyond, voxel_size, MERGED, FAINT))
            marks.append(MERGED_MARK.at(_contact(here & true, beyond, voxel_size)))
    return inside, outside, marks


def _centre(mask: np.ndarray, voxel_size: Sequence[float | int]) -> np.ndarray:
    """The place ``(3,)`` in a mask that is nearest to the mean of its places."""
    places = np.argwhere(mask) * np.asarray(voxel_size)
    return places[((places - places.mean(0)) ** 2).sum(1).argmin()]


def _contact(one: np.ndarray, other: np.ndarray, voxel_size: Sequence[float | int]) -> np.ndarray:
    """The middle ``(3,)`` of where a mask touches another one; of the other one where they do not touch."""
    touching = np.zeros_like(one)
    for axis in range(one.ndim):
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            begin, end = (np.s_[:,] * axis + (each,) for each in (here, there))
            touching[begin] |= one[begin] & other[end]
    return _centre(touching if touching.any() else other, voxel_size)


def _side(mask: np.ndarray, voxel_size: Sequence[float | int]) -> np.ndarray:
    """The direction ``(3,)`` in which a mask is thinnest: from there most of it is seen."""
    some = max(1, mask.size // MANY)
    places = np.argwhere(mask)[::some] * np.asarray(voxel_size)
    if len(places) < 2:
        return np.array([1.0, 0.0, 0.0])
    _, axes = np.linalg.eigh(np.cov(places.T))  # by rising variance
    return axes[:, 0] * (1 if axes[np.abs(axes[:, 0]).argmax(), 0] > 0 else -1)
