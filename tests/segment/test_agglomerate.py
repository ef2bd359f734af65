"""Agglomeration: against merging by hand, and against the real waterz."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from statistics import median_low

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D
from segraft.metrics.scoring import evaluate
from segraft.segment import SEGMENTERS, waterz
from segraft.segment.agglomerate import QUANTILES, SCORES
from segraft.segment.regions import region_graph
from segraft.segment.watershed import watershed_fragments
from shared.labels import same_partition

SPACES = [((40, 44), OFFSETS_2D[:2]), ((5, 20, 22), OFFSETS_3D)]
MEAN = "OneMinus<MeanAffinity<RegionGraphType,ScoreValue>>"
MEDIAN = "OneMinus<HistogramQuantileAffinity<RegionGraphType,50,ScoreValue,256,true>>"


def smooth(seed, space, sigma=1.5):
    """Affinities like a network's: smooth, between 0 and 1, no two alike."""
    noise = np.random.default_rng(seed).normal(size=(len(space), *space))
    noise = ndimage.gaussian_filter(noise, (0, *(sigma,) * len(space)))
    return (1 / (1 + np.exp(-2 * noise / noise.std()))).astype(np.float32)


def merge_by_mean(fragments, nearest, threshold):
    """Merge the two touching regions of the largest mean affinity over their border, again and again."""
    labels = fragments.astype(int)
    while True:
        sums, counts = {}, {}
        for axis, channel in enumerate(nearest):
            here, there = (np.moveaxis(labels, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
            pairs = np.stack([np.minimum(here, there), np.maximum(here, there)], -1).reshape(-1, 2)
            for (a, b), value in zip(pairs.tolist(), np.moveaxis(channel, axis, 0)[1:].ravel().tolist(), strict=True):
                if 0 < a != b:
                    sums[a, b], counts[a, b] = sums.get((a, b), 0) + value, counts.get((a, b), 0) + 1
        means = {pair: sums[pair] / counts[pair] for pair in sums}
        if not means or 1 - max(means.values()) >= threshold:
            return labels
        a, b = max(means, key=means.__getitem__)
        labels[labels == b] = a


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), flat=st.booleans(), threshold=st.sampled_from([0.3, 0.5, 0.7]))
def test_merging_by_hand_agrees(seed, flat, threshold):
    space, offsets = ((20, 22), OFFSETS_2D[:2]) if flat else ((3, 12, 12), OFFSETS_3D)
    nearest = smooth(seed, space)
    foreground = np.random.default_rng(seed).random(space) > 0.1
    fragments = watershed_fragments(nearest, foreground, 0.5)
    expected = merge_by_mean(fragments, nearest, threshold)
    assert same_partition(waterz(nearest, offsets, foreground, threshold=threshold), expected)


def merge_by_median(count, edges, threshold):
    """Merge nodes by the median of the scores of all edges between two groups, the lower one of an even number."""
    groups = [{node} for node in range(count)]
    while True:
        scores = {}
        for (a, b), score in edges.items():
            ends = tuple(sorted(next(k for k, group in enumerate(groups) if node in group) for node in (a, b)))
            scores.setdefault(ends, []).append(score)
        medians = {ends: median_low(values) for ends, values in scores.items() if ends[0] != ends[1]}
        if not medians or min(medians.values()) >= threshold:
            return groups
        a, b = min(medians, key=medians.__getitem__)
        groups[a] |= groups.pop(b)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), threshold=st.sampled_from([0.2, 0.3, 0.5]))
def test_merging_by_median_by_hand_agrees(seed, threshold):
    nearest = smooth(seed, (12, 14))
    fragments = watershed_fragments(nearest, None, 0.6)
    regions = region_graph(fragments, nearest, OFFSETS_2D[:2])
    scores = np.append(1 - regions.maxima, threshold)
    assume(len(scores) < 3 or np.diff(np.sort(scores)).min() > 2 / 256)  # further apart than a bin
    edges = dict(zip(map(tuple, regions.edges.tolist()), scores.tolist()[:-1], strict=True))
    labels = waterz(nearest, OFFSETS_2D[:2], score="median", threshold=threshold, boundary=0.6)
    groups = merge_by_median(regions.count, edges, threshold)
    expected = np.sum([(k + 1) * np.isin(fragments - 1, list(group)) for k, group in enumerate(groups)], 0)
    assert same_partition(labels, expected)


def real_waterz(nearest, foreground, threshold, function):
    package = pytest.importorskip("waterz")
    fragments = watershed_fragments(nearest, foreground, 0.5)
    volume = np.zeros((3, *(1,) * (4 - nearest.ndim), *nearest.shape[1:]), np.float32)
    volume[-len(nearest) :] = nearest.reshape(len(nearest), *volume.shape[1:])
    given_fragments = fragments.reshape(volume.shape[1:]).copy()
    (labels,) = package.agglomerate(volume, [threshold], fragments=given_fragments, scoring_function=function)
    return labels.reshape(fragments.shape).astype(np.int64)


@pytest.mark.parametrize(("space", "offsets"), SPACES, ids=["2-D", "3-D"])
@pytest.mark.parametrize("threshold", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_by_mean_it_is_the_real_waterz(space, offsets, threshold, seed):
    nearest = smooth(seed, space)
    foreground = np.random.default_rng(seed).random(space) > 0.1
    labels = waterz(nearest, offsets, foreground, threshold=threshold)
    assert 1 < labels.max() < watershed_fragments(nearest, foreground, 0.5).max()
    assert same_partition(labels, real_waterz(nearest, foreground, threshold, MEAN))


@pytest.mark.parametrize(("space", "offsets"), SPACES, ids=["2-D", "3-D"])
@pytest.mark.parametrize("seed", range(3))
def test_by_median_it_is_nearly_the_real_waterz(space, offsets, seed):
    """An affinity that a merger changed has another place in the queue; waterz moves it there late."""
    nearest = smooth(seed, space)
    labels = waterz(nearest, offsets, score="median", threshold=0.2)
    assert 2 < labels.max() < watershed_fragments(nearest, None, 0.5).max()
    assert evaluate(labels, real_waterz(nearest, None, 0.2, MEDIAN))["voi"] < (0.05 if len(space) == 2 else 1.1)


@pytest.mark.parametrize("percent", [10, 50, 90])
def test_quantiles_are_the_real_waterz_and_silent(percent, capfd):
    pytest.importorskip("waterz")
    nearest = smooth(0, (5, 20, 22))
    os.write(1, b"before\n")
    labels = waterz(nearest, OFFSETS_3D, score=f"quantile-{percent}", threshold=0.2)
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "before\nafter\n"
    function = MEDIAN.replace("50", str(percent))
    assert same_partition(labels, real_waterz(nearest, None, 0.2, function))
    assert "region graph" in capfd.readouterr().out, "it would have printed"


def test_all_quantiles_are_compiled_and_stricter_when_lower():
    pytest.importorskip("waterz")
    nearest = smooth(1, (40, 44))
    counts = [
        int(waterz(nearest, OFFSETS_2D[:2], score=name, threshold=0.3).max())
        for name in (f"quantile-{percent}" for percent in QUANTILES)
    ]
    assert counts[0] > counts[-1]
    assert len(SCORES) == len(QUANTILES) + 2


def test_standard_output_comes_back_after_a_failure(monkeypatch, capfd):
    package = pytest.importorskip("waterz")

    def failing(*_, **__):
        os.write(1, b"noise\n")
        raise MemoryError

    monkeypatch.setattr(package, "agglomerate", failing)
    with pytest.raises(MemoryError):
        waterz(smooth(0, (9, 9)), OFFSETS_2D[:2], score="quantile-75")
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"


def test_a_quantile_without_waterz_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "waterz", None)
    with pytest.raises(UserError, match=r"pip install 'segraft\[em\]'") as error:
        waterz(smooth(0, (9, 9)), OFFSETS_2D[:2], score="quantile-75")
    assert "\n" not in str(error.value)
    waterz(smooth(0, (9, 9)), OFFSETS_2D[:2], score="median")


def test_an_unknown_score_is_answered_with_the_known_ones():
    with pytest.raises(UserError, match="mean, median, quantile-10"):
        waterz(smooth(0, (9, 9)), OFFSETS_2D[:2], score="maximum")


@pytest.mark.parametrize("score", ["mean", "median"])
@pytest.mark.parametrize(("space", "offsets"), SPACES, ids=["2-D", "3-D"])
def test_from_fragments_to_islands_each_threshold_joins_segments_of_the_last(space, offsets, score):
    nearest = smooth(5, space)
    foreground = ndimage.gaussian_filter(np.random.default_rng(5).random(space), 2) > 0.5
    series = [
        waterz(nearest, offsets, foreground, threshold=float(threshold), score=score)
        for threshold in np.linspace(0, 1, 9)
    ]
    assert same_partition(series[0], watershed_fragments(nearest, foreground, 0.5).astype(np.int64))
    assert same_partition(series[-1], ndimage.label(foreground)[0])
    for finer, coarser in pairwise(series):
        pairs = np.unique(np.stack([finer.ravel(), coarser.ravel()]), axis=1)
        assert pairs.shape[1] == finer.max() + (not foreground.all())


def test_a_lower_boundary_gives_more_fragments():
    nearest = smooth(2, (60, 60))
    finer, coarser = (waterz(nearest, OFFSETS_2D[:2], threshold=0.0, boundary=at).max() for at in (0.35, 0.9))
    assert finer > coarser


def test_it_is_the_segmenter_called_waterz():
    assert SEGMENTERS["waterz"] is waterz
