"""Which objects are split, merged, missed and false, and which pixels say so."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segraft.reporting.error_map import (
    BACKGROUND,
    CORRECT,
    FALSE,
    MERGED,
    MISSED,
    OUTLINE,
    SPLIT,
    UNKNOWN_TRUTH,
    error_map,
)

pairs = st.tuples(
    arrays(np.int32, (6, 7), elements=st.integers(0, 4)), arrays(np.int32, (6, 7), elements=st.integers(-1, 4))
)


def row(*labels: int) -> np.ndarray:
    return np.array([labels], np.int32)


def test_same_labels_under_other_numbers_are_right() -> None:
    truth = row(0, 1, 1, 0, 2, 2, 3)
    errors = error_map(truth * 5, truth)
    assert errors.classes.tolist() == [[0, 1, 1, 0, 1, 1, 1]]
    assert not any(map(len, (errors.split, errors.merged, errors.missed, errors.false)))


def test_a_true_object_in_two_parts_is_split() -> None:
    errors = error_map(row(0, 8, 8, 9, 9, 0, 0), row(0, 1, 1, 1, 1, 1, 0))
    assert errors.split.tolist() == [1]
    assert errors.classes.tolist() == [[BACKGROUND, SPLIT, SPLIT, SPLIT, SPLIT, OUTLINE, BACKGROUND]]


def test_two_true_objects_in_one_are_merged() -> None:
    errors = error_map(row(7, 7, 7, 7, 7, 0), row(1, 1, 2, 2, 0, 0))
    assert errors.merged.tolist() == [7]
    assert errors.classes.tolist() == [[MERGED, MERGED, MERGED, MERGED, OUTLINE, BACKGROUND]]


def test_a_neighbour_that_reaches_over_is_neither_split_nor_merged() -> None:
    errors = error_map(row(5, 5, 5, 5, 6, 6), row(1, 1, 1, 2, 2, 2))
    assert errors.classes.tolist() == [[CORRECT] * 6]


def test_objects_without_a_partner_are_missed_or_false() -> None:
    errors = error_map(row(0, 0, 0, 4, 4, 0), row(1, 1, 0, 0, 0, 0))
    assert errors.missed.tolist() == [1]
    assert errors.false.tolist() == [4]
    assert errors.classes.tolist() == [[MISSED, MISSED, BACKGROUND, FALSE, FALSE, BACKGROUND]]


def test_an_object_that_is_found_in_part_is_not_missed() -> None:
    errors = error_map(row(0, 0, 0, 4), row(1, 1, 1, 1))
    assert errors.classes.tolist() == [[OUTLINE, OUTLINE, OUTLINE, CORRECT]]
    assert not len(errors.missed)


def test_one_over_all_is_merged_and_not_false_even_if_mostly_on_background() -> None:
    errors = error_map(row(1, 1, 1, 1, 1, 1), row(1, 2, 0, 0, 0, 0))
    assert errors.merged.tolist() == [1]
    assert not len(errors.false)


@given(pairs)
def test_swapping_the_images_swaps_the_errors(images: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = images[0], np.maximum(images[1], 0)
    there, back = error_map(first, second), error_map(second, first)
    assert there.split.tolist() == back.merged.tolist()
    assert there.missed.tolist() == back.false.tolist()


@given(pairs)
def test_brute_force(images: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = images
    known = truth >= 0

    def home(one: np.ndarray, number: int, other: np.ndarray) -> int:
        inside = other[(one == number) & known]
        return min(set(inside.tolist()), key=lambda label: (-(inside == label).sum(), label == 0, label))

    seen = {p: home(predicted, p, truth) for p in set(predicted[known].tolist()) - {0}}
    real = {t: home(truth, t, predicted) for t in set(truth[known].tolist()) - {0}}
    errors = error_map(predicted, truth)
    assert errors.split.tolist() == sorted(t for t in real if list(seen.values()).count(t) > 1)
    assert errors.merged.tolist() == sorted(p for p in seen if list(real.values()).count(p) > 1)
    assert errors.missed.tolist() == sorted(t for t in real if real[t] == 0 and t not in seen.values())
    assert errors.false.tolist() == sorted(p for p in seen if seen[p] == 0 and p not in real.values())
    assert ((errors.classes == UNKNOWN_TRUTH) == ~known).all()
    assert (errors.classes[(predicted > 0) & (truth > 0)] != BACKGROUND).all()
