"""Dense tissue in blocks is what the same fragments give in memory."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.blocks import graph, maps, tissue
from segraft.errors import UserError
from segraft.model import affinities as of_window
from segraft.model.config import Segmentation
from segraft.segment.agglomerate import mean_groups
from segraft.segment.arguments import clipped
from segraft.segment.fragments import absorb
from segraft.segment.multicut import edge_costs, multicut_groups
from segraft.segment.regions import join, region_graph
from shared.echo import DIM, OFFSETS, cells, echo, job_of, whole
from shared.in_blocks import in_blocks, same


@pytest.fixture(autouse=True)
def echoing(monkeypatch):
    for module in (maps, tissue):
        monkeypatch.setattr(module, "opened", echo)


def fragments_of(job):
    """Fragments of the whole image: their parts on both sides of a face are one."""
    counts = np.array([int(job.folder.load("network", number, "count")["count"]) for number in range(len(job.grid))])
    united, fragments, base = graph.unite(job, counts).astype(np.uint64), np.zeros(job.space, np.uint64), 0
    for number, count in enumerate(counts):
        own = job.folder.load("network", number, "labels")["labels"].astype(np.uint64)
        fragments[job.grid.box(number)] = united[np.where(own, own + np.uint64(base), 0)]
        base += int(count)
    return fragments


def in_memory(job, image, fragments):
    """The same fragments, merged at once by the functions of `segraft.segment`."""
    rules, ndim = job.segmentation, len(job.space)
    nearest = clipped(of_window.affinities(image[:DIM], OFFSETS[ndim])[:ndim])
    regions = region_graph(fragments, nearest, OFFSETS[ndim][:ndim])
    groups = np.arange(regions.count)
    if len(regions.edges) and rules.segmenter == "waterz":
        groups = mean_groups(regions, rules.settings.get("threshold", 0.5))
    elif len(regions.edges):
        groups = multicut_groups(regions, edge_costs(regions.means, regions.sizes, 0.5))
    return absorb(join(fragments, groups), nearest, rules.thickness, rules.minimum_size)


SIDES = {2: st.integers(4, 50), 3: st.integers(3, 12)}


@st.composite
def scenes(draw):
    ndim = draw(st.sampled_from([2, 3]))
    space = tuple(draw(SIDES[ndim]) for _ in range(ndim))
    block = tuple(ceil(size / draw(st.integers(1, 3))) for size in space)
    segmenter = draw(st.sampled_from(["waterz", "multicut"]))
    rules = Segmentation(
        segmenter, thickness=draw(st.sampled_from([0.0, 2.0])), minimum_size=draw(st.sampled_from([0, 9]))
    )
    return draw(st.integers(0, 10**6)), space, block, draw(st.sampled_from([0.5, 0.95])), rules


@settings(max_examples=12, deadline=None)
@given(scene=scenes())
def test_the_same_fragments_give_the_same_segments(scene, tmp_path_factory):
    seed, space, block, density, rules = scene
    image = cells(seed, space, density, 1.2)
    job = job_of(tmp_path_factory.mktemp("run"), image, block, rules)
    labels, _ = in_blocks(job, graph.segment)
    assert same(labels, in_memory(job, image, fragments_of(job)))


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    space=st.sampled_from([(40, 60), (64, 33), (4, 40, 60)]),
    sides=st.tuples(st.integers(2, 5), st.integers(28, 40), st.integers(28, 40)),
    thickness=st.sampled_from([0.0, 2.0]),
)
def test_blocks_that_see_all_of_a_plane_give_the_segments_of_the_whole(seed, space, sides, thickness, tmp_path_factory):
    """Fragments at faces are as in the whole image, and what both sides see alike is one."""
    image, rules = cells(seed, space, 0.95, 1.2), Segmentation("waterz", thickness=thickness, minimum_size=9)
    job = job_of(tmp_path_factory.mktemp("run"), image, sides[-len(space) :], rules)
    labels, _ = in_blocks(job, graph.segment)
    assert same(labels, whole(image, rules))


def test_fragments_are_one_across_faces_where_both_sides_see_them(tmp_path):
    """Without what surrounds blocks this disc would be two fragments or more in each, whose seeds lie elsewhere."""
    image = np.zeros((DIM + 1, 96, 96), np.float32)
    image[0], image[DIM] = 1, -9
    y, x = np.mgrid[:96, :96]
    image[DIM, (y - 46) ** 2 + (x - 50) ** 2 < 18**2] = 9
    job = job_of(tmp_path, image, (48, 48), Segmentation("waterz", thickness=0.0, settings={"threshold": 0.0}))
    labels, found = in_blocks(job, graph.segment)
    assert found.objects == 1
    assert same(labels, whole(image, job.segmentation))


@st.composite
def filled_tissue(draw):
    """An image that has gaps, and rules by which segments are dropped or joined before it is filled."""
    space = draw(st.sampled_from([(60, 50), (33, 64), (3, 30, 28)]))
    rules = Segmentation(
        draw(st.sampled_from(["waterz", "multicut", "mutex"])),
        thickness=draw(st.sampled_from([0.0, 2.0])),
        minimum_size=draw(st.sampled_from([0, 9, 30, 300])),
        fill=True,
    )
    return cells(draw(st.integers(0, 10**6)), space, draw(st.sampled_from([0.3, 0.5, 0.8]))), rules


@settings(max_examples=20, deadline=None)
@given(scene=filled_tissue())
def test_a_block_that_is_the_whole_image_is_filled_as_in_memory(scene, tmp_path_factory):
    """Small segments vanish before what is left grows over them and over all that they might have grown over."""
    image, rules = scene
    labels, _ = in_blocks(job_of(tmp_path_factory.mktemp("run"), image, image.shape[1:], rules), graph.segment)
    assert same(labels, whole(image, rules))


@settings(max_examples=20, deadline=None)
@given(scene=filled_tissue(), cuts=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3)))
def test_filled_tissue_has_no_gaps_and_keeps_its_segments(scene, cuts, tmp_path_factory):
    """But for the sections of a block that hold no segment, which stay empty."""
    image, rules = scene
    space, folder = image.shape[1:], tmp_path_factory.mktemp("run")
    block = tuple(ceil(size / parts) for size, parts in zip(space, cuts[-len(space) :], strict=True))
    bare, _ = in_blocks(job_of(folder / "bare", image, block, replace(rules, fill=False)), graph.segment)
    job = job_of(folder / "filled", image, block, rules)
    filled, _ = in_blocks(job, graph.segment)
    np.testing.assert_array_equal(filled[bare > 0], bare[bare > 0])
    for box in job.grid:
        held = bare[box].any(axis=(-2, -1), keepdims=True)
        assert ((filled[box] > 0) == held).all()


def test_segments_of_the_mutex_watershed_that_touch_in_a_block_stay_apart(tmp_path):
    image = cells(5, (40, 60), 0.9)
    rules = Segmentation(thickness=0.0)
    job = job_of(tmp_path, image, (40, 30), rules)
    labels, found = in_blocks(job, graph.segment)
    fragments = fragments_of(job)
    for number in range(2):
        box = job.grid.box(number)
        touching = region_graph(fragments[box], np.ones((2, 40, 30), np.float32), OFFSETS[2][:2]).edges + 1
        first, rows = np.unique(fragments, return_index=True)
        name = dict(zip(first.tolist(), labels.ravel()[rows].tolist(), strict=True))
        assert all(name[a] != name[b] for a, b in touching.tolist())
    parts = sum(int(job.folder.load("network", number, "count")["count"]) for number in range(2))
    assert found.objects < parts


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        (Segmentation("lifted-multicut"), "lifted-multicut"),
        (Segmentation("waterz", settings={"score": "median"}), "median"),
    ],
)
def test_what_does_not_add_up_is_refused(rules, word):
    with pytest.raises(UserError, match=word):
        graph.check(rules)
