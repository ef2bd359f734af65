"""Separate objects in blocks are those of the whole image."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.blocks import maps, pieces
from segraft.blocks.separate import segment
from segraft.model.config import Segmentation
from shared.echo import cells, echo, job_of, whole
from shared.in_blocks import in_blocks, same


@pytest.fixture(autouse=True)
def echoing(monkeypatch):
    monkeypatch.setattr(maps, "opened", echo)


RULES = st.builds(Segmentation, thickness=st.sampled_from([0.0, 1.0, 2.0]), minimum_size=st.sampled_from([0, 4]))
SIDES = {2: st.integers(4, 60), 3: st.integers(3, 14)}


@st.composite
def scenes(draw, ndim):
    space = tuple(draw(SIDES[ndim]) for _ in range(ndim))
    block = tuple(ceil(size / draw(st.integers(1, 3))) for size in space)
    return draw(st.integers(0, 10**6)), space, block, draw(st.sampled_from([0.2, 0.5, 0.9])), draw(RULES)


@settings(max_examples=30, deadline=None)
@given(scene=st.one_of(scenes(2), scenes(3)), late=st.booleans())
def test_in_blocks_is_whole(scene, late, tmp_path_factory):
    """Also where pieces inside a block are left to the stage of those that cross faces, as large ones are."""
    seed, space, block, density, rules = scene
    image = cells(seed, space, density, *([0.8] * (len(space) == 3)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "SMALL", 0 if late else pieces.SMALL)
        labels, _ = in_blocks(job_of(tmp_path_factory.mktemp("run"), image, block, rules), segment)
    assert same(labels, whole(image, rules))


@settings(max_examples=10, deadline=None)
@given(scene=scenes(2))
def test_large_pieces_are_cut_and_stitched(scene, tmp_path_factory):
    seed, space, block, density, _ = scene
    image, rules = cells(seed, space, density), Segmentation(thickness=0.0)
    labels, found = in_blocks(job_of(tmp_path_factory.mktemp("run"), image, block, rules, largest=0), segment)
    expected = whole(image, rules)
    assert ((labels > 0) == (expected > 0)).all()
    reach = min(64, *block)
    if found.cut and all(size <= side + reach for size, side in zip(space, block, strict=True)):
        assert same(labels, expected)  # every block saw all of the image


def test_what_overlaps_is_stitched(tmp_path):
    image = np.zeros((5, 40, 120), np.float32)
    image[0], image[4] = 1, -9
    image[4, 10:20, 5:115] = 9  # one bar through four blocks
    image[4, 25:35, 5:60] = image[4, 25:35, 62:110] = 9
    labels, found = in_blocks(job_of(tmp_path, image, (40, 32), Segmentation(), largest=100), segment)
    assert found.objects == 3
    assert found.cut == 3
    assert same(labels, whole(image, Segmentation()))
