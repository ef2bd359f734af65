"""Quantiles of pixels that were counted in parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.images import histogram
from segraft.images.histogram import Histogram, Tally

KINDS = st.sampled_from([np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.float64])
PIXELS = KINDS.flatmap(
    lambda kind: hnp.arrays(kind, st.integers(1, 60), elements=st.integers(0, 99) if kind != np.int16 else None)
)


@given(PIXELS, st.floats(0, 1))
def test_quantiles_are_those_of_all_pixels(pixels: np.ndarray, q: float) -> None:
    exact = pixels if pixels.dtype.kind == "f" else pixels.astype(np.float64)
    assert Histogram.of(pixels).quantile(q) == np.quantile(exact, q)


@given(PIXELS, st.integers(1, 20))
def test_parts_that_are_merged_on_the_way_have_the_histogram_of_all(pixels: np.ndarray, size: int) -> None:
    tally = Tally(room=8)
    for start in range(0, len(pixels), size):
        tally.add(Histogram.of(pixels[start : start + size]))
    found, expected = tally.total(), Histogram.of(pixels)
    assert tally.complete
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.counts, expected.counts)


@given(PIXELS, st.integers(1, 20), st.integers(1, 60))
def test_too_many_values_are_not_held_whatever_the_parts(pixels: np.ndarray, size: int, most: int) -> None:
    tally = Tally(most, room=8)
    for start in range(0, len(pixels), size):
        tally.add(Histogram.of(pixels[start : start + size]))
    assert tally.complete == (len(np.unique(pixels)) <= most)


def test_a_thinned_histogram_counts_all_pixels_and_hardly_moves_a_quantile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "MOST", 2000)
    whole = Histogram.of(np.random.default_rng(0).normal(0, 1, 20_000))
    thinned = whole.thinned()
    assert len(thinned.values) <= 2000
    assert thinned.counts.sum() == whole.counts.sum()
    for q in (0.05, 0.5, 0.95):
        assert thinned.quantile(q) == pytest.approx(whole.quantile(q), abs=0.02)
    assert thinned.thinned() is thinned
