"""Whether masks number their objects: against brute force, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.labels.masks import Masks
from segraft.labels.relabel import components

IMAGES = hnp.array_shapes(min_dims=2, max_dims=3, max_side=5).flatmap(
    lambda shape: hnp.arrays(np.int32, shape, elements=st.sampled_from([-1, 0, 0, 0, 2, 2, 7]))
)


def seen(*images: np.ndarray) -> Masks:
    masks = Masks()
    for number, labels in enumerate(images):
        masks.look(f"image {number}", labels)
    return masks


def pieces(labels: np.ndarray) -> list[set[tuple[int, ...]]]:
    """Pixels of each piece, grown one by one."""
    left = {place: labels[place] for place in np.ndindex(labels.shape) if labels[place] > 0}
    found = []
    while left:
        place, value = left.popitem()
        piece, growing = {place}, [place]
        while growing:
            here = growing.pop()
            near = [p for p, v in left.items() if v == value and max(abs(np.subtract(p, here))) <= 1]
            piece.update(near)
            growing.extend(near)
            for each in near:
                del left[each]
        found.append(piece)
    return found


@given(IMAGES)
def test_components_are_connected_pieces_of_equal_label(labels):
    found = components(labels)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(np.minimum(found, 0), np.minimum(labels, 0))
    numbers = range(1, int(found.max(initial=0)) + 1)
    parts = [set(map(tuple, np.argwhere(found == number).tolist())) for number in numbers]
    assert sorted(map(sorted, parts)) == sorted(map(sorted, pieces(labels)))


@given(st.lists(IMAGES, max_size=3))
def test_binary_is_what_it_says(images):
    masks = seen(*images)
    one_each = all(len(set(labels[labels > 0].tolist())) <= 1 for labels in images)
    assert masks.binary == (one_each and any(len(pieces(labels)) > 1 for labels in images))
    assert masks.objects == any((labels > 0).any() for labels in images)
    assert masks.images == len(images)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint64, np.int16])
def test_all_integers_do(dtype):
    labels = np.array([[1, 0, 1], [0, 0, 0]]).astype(dtype)
    masks = seen(np.zeros_like(labels), labels)
    assert masks.binary
    assert str(masks) == "2 with one object at most, that of image 1 in 2 pieces, as thresholding gives"
    assert components(labels).tolist() == [[1, 0, 2], [0, 0, 0]]


def test_one_image_that_numbers_its_objects_is_enough():
    two_pieces, numbered = np.array([[255, 0, 255]]), np.array([[1, 2, 0]])
    assert seen(two_pieces).binary
    assert not seen(two_pieces, numbered).binary
    assert not seen(numbered, two_pieces).binary
    assert not seen(np.array([[5, 5, 0]])).binary
    assert not seen().binary


def test_one_image_that_uses_numbers_again_is_enough():
    once, again = np.zeros((8, 80), int), np.zeros((8, 80), int)
    for place in range(8):
        once[:, place * 10 : place * 10 + 4] = place + 1
        again[:, place * 10 : place * 10 + 4] = place % 3 + 1
    assert not seen(once).doubtful
    masks = seen(once, again, once, again[:, ::-1])
    assert masks.doubtful
    assert not masks.binary
    assert masks.images == 4
    assert str(masks) == "3 of 3 numbers of image 1 in pieces far apart, as if each were used for several objects"
