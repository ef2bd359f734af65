"""Windows inside and beyond the border of an array, against padding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segraft.images.windows import crop, window_at


@given(st.integers(1, 9), st.integers(-25, 25), st.integers(1, 30))
def test_crop_mirrors_the_image_and_marks_the_rest_unknown(extent, start, size):
    array = np.arange(extent)
    before, after = max(-start, 0), max(start + size - extent, 0)
    expected = np.pad(array, (before, after), mode="reflect")[start + before :][:size]
    assert np.array_equal(crop(array, window_at([start], [size])), expected)
    unknown = np.pad(array, (before, after), constant_values=-1)[start + before :][:size]
    assert np.array_equal(crop(array, window_at([start], [size]), -1), unknown)


def test_a_window_beyond_the_image_is_reflected() -> None:
    image = np.arange(24).reshape(2, 3, 4)
    window = crop(image, (slice(-2, 5), slice(-1, 9)))
    np.testing.assert_array_equal(window, np.pad(image, [(0, 0), (2, 2), (1, 5)], mode="reflect"))
    assert np.shares_memory(crop(image, (slice(1, 3), slice(0, 4))), image)
