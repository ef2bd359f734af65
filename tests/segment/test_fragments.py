"""Small fragments and the segments that they join."""

from __future__ import annotations

import numpy as np

from segraft.segment.fragments import absorb_small


def test_fragments_flow_along_the_strongest_attraction():
    labels = np.repeat(np.array([[1] * 20 + [2] * 5 + [3] * 20], np.uint64), 2, axis=0)
    attraction = np.full((2, *labels.shape), 0.9, np.float32)
    attraction[:, :, 21] = 0.1  # a weak place: what lies beyond it, seen from 1, is nearer to 3
    absorbed = absorb_small(labels, 12, attraction)
    np.testing.assert_array_equal(absorbed[0, 18:26], [1, 1, 1, absorbed[0, 21], 3, 3, 3, 3])
    np.testing.assert_array_equal(absorb_small(labels, 10, attraction), labels)
