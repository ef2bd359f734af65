"""The table of scores: complete, and clear about which way is better."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.metrics.scores import COUNTS, POOLED, SCORES, choosing
from segraft.metrics.scoring import evaluate, summarise


def test_the_table_holds_what_is_measured() -> None:
    measured = evaluate(np.array([[0, 1]]), np.array([[2, 1]]))
    assert set(measured) == {*SCORES, *COUNTS}
    assert list(measured)[: len(SCORES)] == list(SCORES)


@pytest.mark.parametrize("name", [name for name, score in SCORES.items() if score.better])
def test_of_two_ranks_the_higher_is_the_better(name: str) -> None:
    """Measured: a perfect segmentation outranks one that finds nothing of three objects."""
    truth = np.repeat(np.arange(4), 6).reshape(4, 6)
    other = np.arange(24).reshape(4, 6) if name == "voi_split" else np.zeros_like(truth)  # one segment splits nothing
    perfect, worse = evaluate(truth, truth), evaluate(other, truth)
    rank = choosing(name).rank
    assert rank(perfect[name]) > rank(worse[name])


@pytest.mark.parametrize("name", POOLED)
def test_pooled_scores_choose_too(name: str) -> None:
    truth = np.repeat(np.arange(4), 6).reshape(4, 6)
    perfect, worse = (summarise([evaluate(each, truth)] * 2) for each in (truth, np.zeros_like(truth)))
    assert choosing(name).rank(perfect[name]) > choosing(name).rank(worse[name])


@pytest.mark.parametrize("name", ["n_true", "n_predicted", "ajii"])
def test_numbers_that_only_describe_choose_nothing(name: str) -> None:
    with pytest.raises(UserError, match="known: sbd, dic, aji"):
        choosing(name)
