"""An image cut into blocks."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segraft.blocks.cutting import Grid


@given(st.data())
def test_blocks_cover_each_pixel_once(data: st.DataObject) -> None:
    space = tuple(data.draw(st.lists(st.integers(1, 12), min_size=2, max_size=3)))
    grid = Grid(space, tuple(data.draw(st.integers(1, 14)) for _ in space))
    covered = np.zeros(space, int)
    for number, box in enumerate(grid):
        covered[box] += 1
        assert box == grid.box(number)
        assert covered[box].shape == grid.shape(number)
        assert list(grid.touched(box)) == [number]
    assert (covered == 1).all()
    assert number == len(grid) - 1
