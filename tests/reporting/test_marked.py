"""Mistakes marked on labels, and the window where two segmentations differ most."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segraft.reporting.colours import rgb
from segraft.reporting.error_map import error_map
from segraft.reporting.marked import STEP, counted, marked, place, window_of
from segraft.reporting.pictures import LEGEND, label_colours

WHOLE = (slice(0, 40), slice(0, 40))


def truth() -> np.ndarray:
    labels = np.zeros((40, 40), np.int32)
    labels[4:16, 4:16], labels[4:16, 22:34], labels[24:36, 4:34] = 1, 2, 3
    return labels


def has(pixels: np.ndarray, kind: str) -> bool:
    return bool((pixels == rgb(LEGEND[kind])).all(-1).any())


def test_only_mistakes_have_outlines_in_their_colours() -> None:
    labels = truth()
    labels[labels == 2] = 1  # merged
    labels[24:36, 18:34] = 7  # split
    labels[0:3, 36:40] = 9  # false
    for kinds, predicted in (
        ({"split", "merged", "false"}, labels),
        ({"missed"}, np.where(truth() == 3, 0, truth())),
        (set[str](), truth()),
    ):
        errors = error_map(predicted, truth())
        pixels = marked(predicted, truth(), errors, WHOLE)
        assert pixels.shape == (80, 80, 3)
        assert {kind for kind in ("split", "merged", "missed", "false") if has(pixels, kind)} == kinds
    assert counted(error_map(labels, truth())) == "1 split, 1 merged, 0 missed, 1 false"


def test_right_objects_are_faded_and_keep_their_hue() -> None:
    pixels, colours = marked(truth(), truth(), error_map(truth(), truth()), WHOLE), label_colours(truth())
    assert (pixels <= colours).all()
    assert (pixels[16, 16] < colours[16, 16]).all()


def test_a_cut_window_is_that_part_of_the_picture() -> None:
    predicted = np.where(truth() == 3, 0, truth())
    errors = error_map(predicted, truth())
    window = (slice(8, 30), slice(3, 20))
    assert (marked(predicted, truth(), errors, window) == marked(predicted, truth(), errors, WHOLE)[16:60, 6:40]).all()


@given(arrays(bool, (37, 45)), st.integers(1, 60))
def test_no_window_on_the_grid_holds_more(differs: np.ndarray, side: int) -> None:
    y, x = window_of(differs, side)
    assert (y.stop - y.start, x.stop - x.start) == (min(side, 37), min(side, 45))
    assert y.stop <= 37
    assert x.stop <= 45
    held = [
        differs[top : top + side, left : left + side].sum()
        for top in range(0, max(1, 37 - side + 1), STEP)
        for left in range(0, max(1, 45 - side + 1), STEP)
    ]
    assert differs[y, x].sum() == max(held)


def test_without_a_difference_the_middle_is_shown() -> None:
    window = window_of(np.zeros((100, 100), bool), 36)
    assert window == (slice(32, 68), slice(32, 68))
    assert place(window, (100, 100)) == "36 × 36 of 100 × 100 at y 32, x 32"
