"""Which objects are split, merged, missed and false."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segraft.errors import UserError
from segraft.labels.mistakes import Mistakes, mistaken, mistakes

shapes = st.sampled_from([(5, 6), (3, 4, 3)])
pairs = shapes.flatmap(lambda shape: st.tuples(*(arrays(np.int32, shape, elements=st.integers(0, 4)),) * 2))


def told(found: Mistakes) -> dict[str, list[int]]:
    return {name: ids.tolist() for name, ids in vars(found).items()}


NONE = told(Mistakes(*(np.zeros(0, int),) * 4))


@given(pairs)
def test_the_truth_has_no_mistakes_whatever_its_numbers(images: tuple[np.ndarray, np.ndarray]) -> None:
    truth, _ = images
    assert told(mistakes(truth, truth)) == NONE
    assert told(mistakes(np.array([0, 7, 3, 9, 5])[truth], truth)) == NONE


@given(pairs)
def test_what_splits_one_way_merges_the_other(images: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = images
    there, back = told(mistakes(first, second)), told(mistakes(second, first))
    assert (there["split"], there["missed"]) == (back["merged"], back["false"])


@given(pairs, st.permutations(range(1, 5)))
def test_numbers_do_not_matter_where_overlaps_differ(images: tuple[np.ndarray, np.ndarray], order: list[int]) -> None:
    predicted, truth = images
    pair_counts = np.histogram2d(predicted.ravel(), truth.ravel(), [range(6)] * 2)[0]
    sides = [*pair_counts, *pair_counts.T]
    if any(len(set(side[side > 0])) < (side > 0).sum() for side in sides):
        return  # of equal overlaps the lower id is taken
    renumbered = np.array([0, *order])[predicted]
    found, again = told(mistakes(predicted, truth)), told(mistakes(renumbered, truth))
    assert found["split"] == again["split"]
    assert sorted(order[number - 1] for number in found["merged"]) == again["merged"]


@given(pairs, st.integers(1, 40))
def test_crumbs_split_and_merge_nothing(images: tuple[np.ndarray, np.ndarray], least: int) -> None:
    """Each split object holds two overlaps of that size at least, each merged one reaches into two."""
    predicted, truth = images
    found = mistakes(predicted, truth, least)
    for number in found.split:
        assert sum((predicted[truth == number] == each).sum() >= least for each in range(1, 5)) > 1
    for number in found.merged:
        assert sum((truth[predicted == number] == each).sum() >= least for each in range(1, 5)) > 1


@given(pairs)
def test_cutting_an_object_adds_splits_and_joining_two_adds_merges(images: tuple[np.ndarray, np.ndarray]) -> None:
    truth, _ = images
    large = [number for number in range(1, 5) if (truth == number).sum() >= 2]
    if large:
        cut = truth.copy()
        places = np.argwhere(truth == large[0])
        cut[tuple(places[: len(places) // 2].T)] = 9
        assert told(mistakes(cut, truth)) == NONE | {"split": [large[0]]}
    if (truth == 1).any() and (truth == 2).any():
        joined = np.where(truth == 2, 1, truth)
        assert told(mistakes(joined, truth)) == NONE | {"merged": [1]}


def test_a_crumb_by_size() -> None:
    truth, predicted = np.array([[1] * 6 + [2] * 4]), np.array([[1] * 5 + [3] + [1] * 4])
    assert told(mistakes(predicted, truth)) == NONE | {"split": [1], "merged": [1]}
    assert told(mistakes(predicted, truth, 2)) == NONE | {"merged": [1]}
    assert told(mistakes(predicted, truth, 5)) == NONE


def test_of_different_images() -> None:
    with pytest.raises(UserError, match="same image"):
        mistakes(np.zeros((2, 2), int), np.zeros((2, 3), int))


@given(pairs)
def test_true_objects_are_merged_where_a_merged_one_is_their_home(images: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = images
    found, told_of = mistakes(predicted, truth), mistaken(predicted, truth)
    assert told_of.split.tolist() == found.split.tolist()
    assert (len(found.merged) == 0) == (len(told_of.merged) == 0)
    assert len(told_of.merged) >= 2 * len(found.merged)
    touched = predicted[np.isin(truth, told_of.merged)]
    assert set(found.merged.tolist()) <= set(touched.tolist())
    none = mistaken(truth, truth)
    assert not none.split.size
    assert not none.merged.size


def test_true_objects_that_are_split_or_merged() -> None:
    truth = np.array([[1] * 4 + [2] * 4 + [3] * 4 + [4] * 4])
    predicted = np.array([[5] * 2 + [6] * 2 + [7] * 8 + [8] * 4])
    found = mistaken(predicted, truth)
    assert found.split.tolist() == [1]
    assert found.merged.tolist() == [2, 3]
