"""Parts of a resized image are those of the whole image resized."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.blocks import maps
from segraft.blocks.cutting import Grid
from segraft.blocks.resized import bring_back, labels_back, read_resized
from segraft.blocks.separate import segment
from segraft.labels.relabel import consecutive
from segraft.model.config import Segmentation
from segraft.model.resize import nearest, resize
from shared.echo import cells, echo, job_of
from shared.in_blocks import Serial, in_blocks


@st.composite
def cuts(draw):
    ndim = draw(st.sampled_from([2, 3]))
    sides = st.integers(1, 40) if ndim == 2 else st.integers(1, 14)
    space, target = (tuple(draw(sides) for _ in range(ndim)) for _ in range(2))
    starts = [draw(st.integers(0, size - 1)) for size in target]
    stops = [draw(st.integers(start + 1, size)) for start, size in zip(starts, target, strict=True)]
    return space, target, tuple(map(slice, starts, stops)), draw(st.integers(0, 1000))


@given(cut=cuts())
def test_a_box_is_that_of_the_whole(cut):
    space, target, box, seed = cut
    image = np.random.default_rng(seed).normal(size=(2, *space)).astype(np.float32)
    whole = resize(image, target)[(slice(None), *box)]
    part = read_resized(lambda window: image[(slice(None), *window)], space, target, box)
    np.testing.assert_allclose(part, whole, atol=2e-5)


@given(cut=cuts(), side=st.integers(1, 20))
def test_labels_come_back_as_those_of_the_whole(cut, side):
    target, space, box, seed = cut
    labels = np.random.default_rng(seed).integers(0, 9, space).astype(np.uint64)
    grid = Grid(space, (side,) * len(space))
    found = labels_back(lambda number: labels[grid.box(number)], grid, target, box=within(box, target))
    np.testing.assert_array_equal(found, nearest(labels, target)[within(box, target)])


def within(box, space):
    return tuple(
        slice(min(side.start, size - 1), max(min(side.stop, size), min(side.start, size - 1) + 1))
        for side, size in zip(box, space, strict=True)
    )


@pytest.mark.parametrize("target", [(30, 41), (7, 90)])
def test_types_of_pixels_do_not_matter(target):
    image = np.random.default_rng(0).integers(0, 2**16, (1, 20, 50)).astype(np.uint16)
    box = (slice(2, 5), slice(3, 30))
    part = read_resized(lambda window: image[(slice(None), *window)], (20, 50), target, box)
    np.testing.assert_allclose(part, resize(image, target)[:, 2:5, 3:30], rtol=1e-5)


@pytest.mark.parametrize("space", [(30, 30), (31, 70), (90, 20)])
def test_objects_of_which_no_pixel_is_left_do_not_count(tmp_path, monkeypatch, space):
    monkeypatch.setattr(maps, "opened", echo)
    job = job_of(tmp_path, cells(3, (90, 90), 0.2, 0.6), (45, 45), Segmentation(thickness=0.0))
    labels, found = in_blocks(job, segment)
    own = replace(job, image_grid=Grid(space, (16, 16)))
    shown = bring_back(own, Serial(own), found)
    back = np.zeros(space, np.uint64)
    for number, box in enumerate(own.image_grid):
        back[box] = shown.labels(own, number)
    np.testing.assert_array_equal(back, consecutive(nearest(labels, space)))
    assert shown.objects == back.max() < found.objects
