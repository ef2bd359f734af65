"""Where two models disagree, on graphs and segmentations made for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, ends
from segraft.metrics.disagreement import Graph, affinity_disagreement, doubts
from segraft.types import Offsets

OFFSETS: Offsets = ((-1, 0), (0, -1), (0, -3))
SPACE = (6, 7)
floats = st.floats(-1, 1, width=32)
graphs = st.tuples(arrays(np.float32, (len(OFFSETS), *SPACE), elements=floats), arrays(bool, SPACE))
Arrays = tuple[np.ndarray, np.ndarray]
labelled = arrays(np.int32, SPACE, elements=st.integers(0, 3))
NOWHERE = np.zeros(SPACE, np.float32)


def graph(made: Arrays) -> Graph:
    affinities, inside = made
    return Graph(affinities, OFFSETS, inside)


def of(labels: np.ndarray, offsets: Offsets = OFFSETS_2D) -> Graph:
    """The graph of a model that sees these labels and is sure of them."""
    affinities = np.zeros((len(offsets), *labels.shape), np.float32)
    for affinity, offset in zip(affinities, offsets, strict=True):
        here, there = ends(offset)
        affinity[here] = np.where(labels[here] == labels[there], 1, -1)
    return Graph(affinities, offsets, labels > 0)


@given(graphs)
def test_a_graph_agrees_with_itself(made: Arrays) -> None:
    assert not affinity_disagreement(graph(made), graph(made)).any()


@given(graphs, graphs)
def test_the_order_of_two_graphs_does_not_matter(one: Arrays, other: Arrays) -> None:
    first, second = graph(one), graph(other)
    there, back = affinity_disagreement(first, second), affinity_disagreement(second, first)
    np.testing.assert_array_equal(there, back)
    assert there.min() >= 0
    assert there.max() <= 1
    assert not there[~(first.inside | second.inside)].any()


@given(graphs, graphs)
def test_a_pixel_has_the_mean_of_the_edges_that_touch_it(one: Arrays, other: Arrays) -> None:
    """Against a loop over pixels and edges."""
    first, second = graph(one), graph(other)
    found, inside = affinity_disagreement(first, second), first.inside | second.inside
    for pixel in np.ndindex(SPACE):
        touching = []
        for k, offset in enumerate(OFFSETS):
            for start in (pixel, tuple(np.subtract(pixel, offset))):
                pair = (start, tuple(np.add(start, offset)))
                if all(0 <= at < size for end in pair for at, size in zip(end, SPACE, strict=True)) and (
                    inside[pair[0]] and inside[pair[1]]
                ):
                    touching.append(abs(float(first.affinities[k][start]) - float(second.affinities[k][start])) / 2)
        assert found[pixel] == pytest.approx(np.mean(touching) if touching else 0, abs=1e-6)


def test_offsets_of_one_graph_alone_say_nothing() -> None:
    labels = np.ones(SPACE, np.int32)
    first, second = of(labels, OFFSETS), of(labels, (*OFFSETS[::-1], (-2, 0)))
    assert not affinity_disagreement(first, second).any()
    second.affinities[-1] = -1  # type: ignore[index]
    assert not affinity_disagreement(first, second).any()


def test_graphs_that_cannot_be_compared_are_refused() -> None:
    labels = np.ones(SPACE, np.int32)
    with pytest.raises(UserError, match="trained at the same pixel size"):
        affinity_disagreement(of(labels), of(labels[1:]))
    with pytest.raises(UserError, match="expected some in common"):
        affinity_disagreement(of(labels, OFFSETS[:1]), of(labels, OFFSETS[1:]))


@given(labelled)
def test_a_segmentation_has_no_doubt_against_itself(labels: np.ndarray) -> None:
    found = doubts(labels, labels, NOWHERE)
    assert [each.id for each in found] == sorted(set(labels[labels > 0].tolist()))
    assert all((each.score, each.other) == (0, "agrees") for each in found)


@given(labelled, labelled)
def test_every_object_is_listed_once_where_it_is(labels: np.ndarray, others: np.ndarray) -> None:
    found = doubts(labels, others, NOWHERE)
    assert sorted(each.id for each in found if each.id) == sorted(set(labels[labels > 0].tolist()))
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    for each in found:
        assert 0 <= each.score == each.partition / 2 <= 1 / 2
        if each.id:
            assert each.area == (labels == each.id).sum() == (labels[each.box] == each.id).sum()
        else:
            assert each.other == "adds"


@given(labelled, labelled)
def test_an_iou_is_the_same_from_both_sides(labels: np.ndarray, others: np.ndarray) -> None:
    """What agrees best agrees best from the other side, too."""
    there, back = doubts(labels, others, NOWHERE), doubts(others, labels, NOWHERE)
    ours, theirs = ([each.partition for each in found if each.id] for found in (there, back))
    if ours and theirs:
        assert min(ours) == pytest.approx(min(theirs))


def squares(seed: int) -> np.ndarray:
    """Nine squares of 10 × 10 pixels, some of which touch, on background, numbered in random order."""
    order = np.random.default_rng(seed).permutation(9) + 1
    labels = np.zeros((40, 40), np.int32)
    for number, (y, x) in zip(order, [(y, x) for y in (2, 14, 26) for x in (2, 12, 26)], strict=True):
        labels[y : y + 10, x : x + 10] = number
    return labels


@given(st.integers(0, 99), st.sampled_from([2, 14, 26]))
def test_a_planted_split_comes_first(seed: int, row: int) -> None:
    truth = squares(seed)
    number = truth[row, 26]
    cut = truth.copy()
    cut[row + 5 : row + 10, 26:36] = 10
    disagreement = affinity_disagreement(of(truth), of(cut))
    first, second, *rest = doubts(cut, truth, disagreement)
    assert {first.id, second.id} == {number, 10}
    assert {first.other, second.other} == {"joins"}
    assert rest[0].score < 0.05
    (whole, *_) = doubts(truth, cut, disagreement)
    assert (whole.id, whole.other, whole.partition) == (number, "splits", 0.5)


@given(st.integers(0, 99), st.sampled_from([2, 14, 26]))
def test_a_planted_merge_comes_first(seed: int, row: int) -> None:
    truth = squares(seed)
    left, right = truth[row, 2], truth[row, 12]
    merged = np.where(truth == right, left, truth)
    worst, next_worst, *_ = doubts(merged, truth, affinity_disagreement(of(truth), of(merged)))
    assert (worst.id, worst.other, worst.area) == (left, "splits", 200)
    assert worst.box == (slice(row, row + 10), slice(2, 22))
    assert next_worst.score < worst.score / 4


def test_what_one_of_both_does_not_have() -> None:
    truth = squares(0)
    lost = np.where(truth == 5, 0, truth)
    (first, *_) = doubts(truth, lost, affinity_disagreement(of(truth), of(lost)))
    assert (first.id, first.other, first.partition) == (5, "lacks", 1)
    (added, *_) = doubts(lost, truth, affinity_disagreement(of(truth), of(lost)))
    assert (added.id, added.other, added.box, added.area) == (0, "adds", first.box, first.area)


def test_of_what_looks_alike_the_other_affinities_decide() -> None:
    labels = squares(1)
    unsure = of(labels)
    unsure.affinities[:, 14:24, 26:36] *= 0.2  # type: ignore[index, operator]
    (first, second, *_) = doubts(labels, labels, affinity_disagreement(of(labels), unsure))
    assert first.id == labels[14, 26]
    assert first.partition == 0
    assert first.affinity > 2 * second.affinity
