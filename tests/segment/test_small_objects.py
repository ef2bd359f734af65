"""Small objects that touch a larger one, from exact affinities: all edges that repel keep them, a grid loses some."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
import torch

from segraft.graphs.affinity import label_affinities
from segraft.graphs.offsets import USUAL
from segraft.segment import mutex_watershed
from shared.labels import same_partition

Size = tuple[int, ...]
FLAT: list[Size] = [(1, 1), (1, 4), (3, 3), (2, 8)]
GRID = 5
LOST: dict[Size, tuple[int, int]] = {
    (1, 1): (24, 20),
    (2, 2): (21, 13),
    (3, 3): (16, 4),
    (2, 8): (15, 5),
    (4, 4): (9, 1),
    (5, 5): (0, 0),
    (6, 9): (0, 0),
}
"""Places, of the 25 on the grid, at which an object (y, x) is lost in a volume: against a side, and inside."""


def kept(cells: np.ndarray, **settings: object) -> bool:
    offsets = USUAL[cells.ndim]
    affinities = label_affinities(torch.from_numpy(cells)[None], offsets)[0][0].numpy()
    return same_partition(mutex_watershed(affinities, offsets, cells > 0, **settings), cells)


def inside(size: Size, places: Iterator[Size], space: Size) -> Iterator[np.ndarray]:
    """Objects at places inside a larger one, which fills the image."""
    for place in places:
        cells = np.ones(space, np.int64)
        cells[tuple(slice(begin, begin + length) for begin, length in zip(place, size, strict=True))] = 2
        yield cells


def against(size: Size, places: Iterator[Size], depth: tuple[int, ...] = ()) -> Iterator[np.ndarray]:
    """Objects against the right side of a larger one of 18 × 18 pixels, which begins at places (y, x)."""
    for y, x in places:
        cells = np.zeros((*depth, 28, 36), np.int64)
        cells[..., y : y + 18, x : x + 18] = 1
        first = tuple(slice(1, 1 + length) for length in size[:-2])
        cells[(*first, slice(y + 6, y + 6 + size[-2]), slice(x + 18, x + 18 + size[-1]))] = 2
        yield cells


def everywhere(size: Size, space: Size) -> Iterator[Size]:
    return product(*(range(whole - length + 1) for whole, length in zip(space, size, strict=True)))


def on_grid(*before: int) -> Iterator[Size]:
    return ((*before, *place) for place in product(range(10, 10 + GRID), repeat=2))


@pytest.mark.parametrize("size", FLAT)
def test_images_keep_them_wherever_they_are(size: Size) -> None:
    assert all(kept(cells) for cells in inside(size, everywhere(size, (14, 14)), (14, 14)))
    assert all(kept(cells) for cells in against(size, product(range(5), repeat=2)))


@pytest.mark.parametrize(("size", "depth"), [*((size, 3) for size in LOST), ((3, 3), 1)])
def test_volumes_lose_what_the_documentation_says(size: Size, depth: int) -> None:
    alone, within = LOST[size]
    bodies = list(against((depth, *size), product(range(5), repeat=2), (6,)))
    holes = list(inside((depth, *size), on_grid(2), (8, 30, 30)))
    assert (sum(not kept(cells) for cells in bodies), sum(not kept(cells) for cells in holes)) == (alone, within)
    assert all(kept(cells, strides=(1, 1, 1)) for cells in bodies + holes)
