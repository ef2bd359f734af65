"""Score and memory over K and L."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.graphs.memory_bank import MemoryBank
from segraft.paper.figures import own_bank, published_bank
from segraft.reporting.memory import Banked, draw_memory, in_words


def banked(size: int, samples: int, score: tuple[float, float | None] | None) -> Banked:
    return Banked(size, samples, score, published_bank(size, 16, (544, 544)), own_bank(size, 16))


@pytest.mark.parametrize(("size", "dim"), [(1, 16), (32, 16), (8, 3)])
def test_our_bank_is_as_large_as_it_says(size: int, dim: int) -> None:
    grams = MemoryBank(size, dim).grams
    assert own_bank(size, dim) == grams.numel() * grams.element_size()


def test_the_published_bank_holds_embeddings() -> None:
    assert published_bank(32, 16, (544, 544)) == np.zeros((32, 16, 544, 544), np.float32).nbytes


def test_what_is_drawn() -> None:
    chosen = banked(32, 12, (0.9, 0.01))
    sizes, samples = [banked(64, 12, (0.92, None)), banked(8, 8, None), chosen], [chosen, banked(32, 4, (0.8, 0.02))]
    figure = draw_memory(sizes, samples, "AJI")
    score_k, score_l, bytes_k, bytes_l = figure.axes
    assert score_k.get_ylabel() == "AJI"
    assert score_k.get_title() == "L = 12 (at most K)"
    assert score_l.get_title() == "K = 32"
    (curve,) = (line for line in score_k.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-")
    assert curve.get_xdata().tolist() == [32, 64]
    theirs, ours = bytes_k.lines[:2]
    assert list(theirs.get_xdata()) == [8, 32, 64]
    assert list(ours.get_ydata()) == [own_bank(k, 16) for k in (8, 32, 64)]
    low, high = bytes_l.get_ylim()
    assert low < own_bank(8, 16)
    assert high > published_bank(64, 16, (544, 544))


def test_a_side_that_was_not_measured_says_so() -> None:
    figure = draw_memory([banked(32, 12, None)], [banked(32, 12, None)], "AJI")
    assert [text.get_text() for text in figure.axes[0].texts] == ["not measured"]
    figure.draw_without_rendering()


@pytest.mark.parametrize(("count", "words"), [(16384, "16.4 kB"), (606e6, "606 MB"), (1.21e9, "1.21 GB"), (12, "12 B")])
def test_bytes_in_words(count: float, words: str) -> None:
    assert in_words(count) == words
