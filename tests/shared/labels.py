"""Label images: made up by hypothesis, and compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.metrics.scoring import evaluate

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=6)
HUGE = st.sampled_from([0, 1, 2, 7, 300, 70_000, 2**40, 2**63 - 1])
"""Ids, small ones and such as no table of all ids could hold."""
LABELS = hnp.arrays(np.uint32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 3))
"""Planes of up to 9 × 9 pixels with up to three objects."""


def label_images(elements: st.SearchStrategy, dtype: Any = np.int64) -> st.SearchStrategy:
    """Planes and volumes of up to 6 pixels a side with such ids."""
    return hnp.arrays(dtype, SHAPES, elements=elements)


def same_partition(labels: np.ndarray, truth: np.ndarray) -> bool:
    """Whether every score is perfect, whatever the numbers of the objects."""
    scores = evaluate(labels, truth)
    return scores["aji"] == scores["pq"] == 1 and scores["voi"] == 0
