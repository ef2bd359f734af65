"""Lists that read on demand."""

import pickle
from functools import partial

import numpy as np
import pytest

from segraft.data.samples import LazySamples, drawn_split, shuffled
from segraft.errors import UserError
from segraft.types import Sample

NAMES = [f"cell{number}" for number in range(40)]


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


def test_an_added_name_moves_no_other_in_the_shuffle() -> None:
    order = shuffled(NAMES, seed=3)
    assert sorted(order) == sorted(NAMES)
    assert order == shuffled(reversed(NAMES), seed=3) != shuffled(NAMES, seed=4)
    assert [name for name in shuffled([*NAMES, "new"], seed=3) if name != "new"] == order


def test_a_drawn_split_is_whole_and_in_natural_order() -> None:
    parts = [drawn_split(NAMES, split, 0, 0.25) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [27, 3, 10]
    assert sorted(sum(parts, ())) == sorted(NAMES)
    assert all(list(part) == sorted(part, key=lambda name: int(name[4:])) for part in parts)


def test_a_split_without_images_is_answered() -> None:
    assert drawn_split(["a"], "val", 0, 0.25) == ("a",)
    with pytest.raises(UserError, match="got 1 images, too few for a train split"):
        drawn_split(["a"], "train", 0, 0.25)
    with pytest.raises(UserError, match="train, val, test"):
        drawn_split(NAMES, "validation", 0, 0.25)
