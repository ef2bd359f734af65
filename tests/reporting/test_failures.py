"""Where students fail and their teacher does not."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from segraft.labels.mistakes import Mistaken
from segraft.reporting.failures import failing, summary

ids = st.lists(st.integers(1, 6), unique=True).map(sorted)
runs_of_images = st.lists(st.lists(st.tuples(ids, ids), min_size=2, max_size=2), min_size=1, max_size=3)
Made = list[list[tuple[list[int], list[int]]]]


def of(made: Made) -> list[list[Mistaken]]:
    return [[Mistaken(np.array(split, int), np.array(merged, int)) for split, merged in run] for run in made]


def test_only_what_the_teacher_has_right_counts_and_the_worst_comes_first() -> None:
    teacher: Made = [[([1], []), ([], []), ([], [])]]
    alone: Made = [[([1, 2], []), ([], [3, 4, 7, 8]), ([], [])]]
    better: Made = [[([], [1]), ([], [3, 4]), ([], [])]]
    listed = failing(["a", "b", "c"], {"teacher": of(teacher), "alone": of(alone), "better": of(better)})
    assert [(each.image, each.count) for each in listed] == [("b", 6), ("a", 1)]
    assert listed[0].cells == {"alone": "4 merged (3, 4, 7 and 1 more)", "better": "2 merged (3, 4)"}
    assert listed[1].cells == {"alone": "1 split (2)", "better": "–"}
    assert summary(listed, 3).endswith("on 2 of 3 images, the worst first.")


def test_over_seeds_numbers_are_means_and_ids_those_of_half_the_runs() -> None:
    teacher: Made = [[([5], [])], [([5, 6], [])], [([], [])]]
    student: Made = [[([1, 5], [6])], [([1], [])], [([2], [])]]
    (only,) = failing(["a"], {"teacher": of(teacher), "student": of(student)})
    assert only.cells == {"student": "1 split (1), 0.333 merged"}
    assert only.count == 4 / 3


@given(runs_of_images)
def test_a_student_that_fails_as_its_teacher_has_no_failures(made: Made) -> None:
    """Of one run each; a mistake that less than half of a teacher's runs make is none of the teacher."""
    assert not failing(["a", "b"], {"teacher": of(made[:1]), "student": of(made[:1])})
    assert not failing(["a", "b"], {"teacher": of(made)})
    perfect: Made = [[([], []), ([], [])]]
    assert not failing(["a", "b"], {"teacher": of(made), "student": of(perfect)})
    counted = failing(["a", "b"], {"teacher": of(perfect), "student": of(made)})
    mean = sum(len(split) + len(merged) for run in made for split, merged in run) / len(made)
    assert abs(sum(each.count for each in counted) - mean) < 1e-9
