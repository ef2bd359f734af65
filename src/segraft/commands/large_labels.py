"""Label images that are compared box by box, for together they are too large to be held in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from segraft.blocks.cutting import Grid
from segraft.errors import UserError
from segraft.images.lazy import OpenSource, Source, is_lazy, large, lazy_labels
from segraft.images.windows import Window, in_words
from segraft.labels.contingency import Contingency, check_shapes, contingency, together
from segraft.types import Space

VOXELS = 2**23
"""Of a box."""
PAIRS = 2**22
"""Pairs of labels that are held before they are merged."""


def large_pair(predicted: Path, truth: Path) -> tuple[Source, Source] | None:
    """Describe two label images in files that are large together, if both can be read in parts; else None.

    Raises ``UserError`` for a broken file.
    """
    if not (is_lazy(predicted) and is_lazy(truth)):
        return None
    sources = lazy_labels(predicted), lazy_labels(truth)
    return sources if large(*sources) else None


def contingency_by_boxes(predicted: Source, truth: Source) -> Contingency:
    """Count the overlaps of two label images box by box: the table is that of `contingency` of the whole.

    Raises ``UserError`` where their shapes differ, and with the box where one cannot be read or holds no labels.
    """
    check_shapes(predicted.space, truth.space)
    tables: list[Contingency] = []
    with ExitStack() as files:
        opened = [files.enter_context(source.open()) for source in (predicted, truth)]
        for box in Grid(predicted.space, _side(opened, predicted.space)):
            tables.append(_of_box(opened, box))
            if sum(len(each.counts) for each in tables) > max(PAIRS, 2 * len(tables[0].counts)):
                tables = [together(tables)]
    return together(tables)


def _of_box(opened: Sequence[OpenSource], box: Window) -> Contingency:
    """The table of a box."""
    guess, true = (each.read(box)[0] for each in opened)
    try:  # as planes, of which none is taken for a picture in colour
        return contingency(guess.reshape(-1, guess.shape[-1]), true.reshape(-1, true.shape[-1]))
    except UserError as error:
        raise UserError(f"{in_words(box)}: {error}") from error


def _side(opened: Sequence[OpenSource], space: Space) -> Space:
    """The size of a box: at least the larger of both files' chunks, as long as can be along the last axes."""
    stored = [each.series.chunks for each in opened]
    axes = [each.source.layout.axes for each in opened]
    chunks = [tuple(sizes[axis] for axis in of) for sizes, of in zip(stored, axes, strict=True) if sizes is not None]
    side = [min(size, max(sizes)) for size, *sizes in zip(space, [1] * len(space), *chunks, strict=True)]
    for axis in reversed(range(len(space))):
        fits = max(1, VOXELS // math.prod(side))
        side[axis] = min(space[axis], side[axis] * fits)
    return tuple(side)
