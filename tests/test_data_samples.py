"""Lists that read on demand."""

import pickle
from functools import partial

import numpy as np
import pytest

from segraft.data.samples import LazySamples
from segraft.types import Sample


def make(size: int, item: int) -> Sample:
    """A sample filled with the item's number."""
    return Sample(np.full((1, size, size), item), None, str(item))


def test_items_are_read_on_demand_and_only_then() -> None:
    seen: list[int] = []

    def read(item: int) -> Sample:
        seen.append(item)
        return make(2, item)

    samples = LazySamples((4, 5, 6), read)
    assert len(samples) == 3
    assert seen == []
    assert samples[-1].name == "6"
    part = samples[:2]
    assert isinstance(part, LazySamples)
    assert seen == [6]
    assert [sample.name for sample in part] == ["4", "5"]
    with pytest.raises(IndexError):
        samples[3]


def test_samples_travel_to_worker_processes() -> None:
    samples = pickle.loads(pickle.dumps(LazySamples((7,), partial(make, 3))))
    assert samples[0].image.shape == (1, 3, 3)
