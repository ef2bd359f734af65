"""Objects drawn into a label image: order, numbers, borders."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.labels.shapes import Outline, Runs, draw
from shared.messages import one_line

SHAPE = (6, 8)


def square(name: str, left: float, top: float, size: float = 3, unknown: bool = False) -> Outline:
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size + (left, top)
    return Outline(name, ((corners,),), unknown)


def test_the_later_object_lies_on_top_and_unknown_pixels_below() -> None:
    expected = np.zeros(SHAPE, int)
    expected[3:6, 3:6] = -1
    expected[0:3, 0:3] = 1
    expected[2:5, 2:5] = 2
    shapes = [square("", 0, 0), square("", 2, 2), square("", 3, 3, unknown=True)]
    labels = draw(shapes, SHAPE, "x")
    assert np.array_equal(labels, expected)
    assert labels.dtype == np.int64
    assert draw(shapes[:2], SHAPE, "x").dtype == np.uint32
    assert np.array_equal(draw([], SHAPE, "x"), np.zeros(SHAPE))


@pytest.mark.parametrize(
    ("names", "numbers"),
    [(("7", "3"), {7, 3}), (("7", "7"), {1, 2}), (("7", "b"), {1, 2}), (("0", "1"), {1, 2}), (("", ""), {1, 2})],
)
def test_names_that_are_different_numbers_are_kept(names: tuple[str, str], numbers: set[int]) -> None:
    labels = draw([square(names[0], 0, 0), square(names[1], 4, 0)], SHAPE, "x")
    assert set(np.unique(labels).tolist()) == numbers | {0}


def test_what_lies_beyond_the_border_is_cut_off() -> None:
    labels = draw([square("", -2, 4), square("", 6.6, -1.4)], SHAPE, "x")
    expected = np.zeros(SHAPE, int)
    expected[4:6, 0:1] = 1
    expected[0:2, 7:8] = 2
    assert np.array_equal(labels, expected)


@pytest.mark.parametrize(("left", "top"), [(8, 0), (-3, 0), (0, 6), (0, -4), (1000, 2)])
def test_an_object_outside_its_image_is_named(left: float, top: float) -> None:
    with pytest.raises(UserError) as error:
        draw([square("a", 0, 0), square("b", left, top)], SHAPE, "x.geojson")
    assert one_line(error).startswith("x.geojson, object 2 (b): got x from ")
    assert "image of 8 × 6 pixels" in str(error.value)


def test_runs_go_down_the_columns() -> None:
    labels = draw([Runs("", [7, 4, 37])], SHAPE, "x")
    assert np.array_equal(np.flatnonzero(labels.T.ravel()), [7, 8, 9, 10])
    for counts in ([7, 4], [50, -2]):
        with pytest.raises(UserError, match="object 1: got runs of"):
            draw([Runs("", counts)], SHAPE, "x")
