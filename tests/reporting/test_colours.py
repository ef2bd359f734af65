"""Colours of objects."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segraft.reporting.colours import DARK, bright, rgb, soft


@given(st.integers(1, 2**31))
def test_neighbours_in_number_are_unlike(number: int) -> None:
    first, second = bright(np.array([number, number + 1]))
    assert np.abs(first - second).max() > 0.3
    pair = soft(np.array([[number, number + 1]])).astype(int)
    assert np.abs(pair[0, 0] - pair[0, 1]).max() > 20


def test_background_is_dark_and_hex_is_read() -> None:
    assert soft(np.zeros((2, 3), int)).reshape(-1, 3).tolist() == [list(DARK)] * 6
    assert rgb("#e69f00") == (230, 159, 0)
