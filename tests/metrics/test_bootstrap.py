"""Intervals of differences over images."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.metrics.bootstrap import paired_difference


def test_paired_difference_is_that_of_the_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=50)  # how hard each image is counts for both
    mean, low, high = paired_difference((images + 0.1).tolist(), images.tolist())
    assert mean == pytest.approx(0.1)
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.1)
    noise = rng.normal(size=400)
    mean, low, high = paired_difference(noise.tolist(), [0.0] * 400)
    error = 1.96 * noise.std() / 20
    assert mean == pytest.approx(noise.mean())
    assert (low, high) == (pytest.approx(mean - error, abs=0.01), pytest.approx(mean + error, abs=0.01))
