"""Which protocols a name means, and what they leave out of which data set."""

from __future__ import annotations

import pytest

from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.metrics.protocols import OURS, PAPER, Protocol
from segraft.paper.protocols import MINIMUM_TRUE_SIZES, chosen

SIZED = Protocol("paper", taken_once=True, minimum_true_size=25)


def test_names() -> None:
    assert chosen("ours", "bbbc039") == (OURS,)
    assert chosen("paper") == chosen("paper", "cvppp") == (PAPER,)
    assert chosen("paper", "bbbc039") == (SIZED,)
    assert chosen("both", "bbbc039") == (OURS, SIZED)
    assert chosen("paper", "bbbc039", 0) == (PAPER,)
    assert chosen("both", None, 25) == (OURS, SIZED)
    assert set(MINIMUM_TRUE_SIZES) <= set(DATASETS)


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("papers", None, "unknown protocol 'papers'; known: ours, paper, both; did you mean 'paper'"),
        ("ours", 25, "minimum_true_size: got 25 with the protocol ours, expected"),
        ("paper", -1, "minimum_true_size: got -1"),
    ],
)
def test_mistakes(name: str, size: int | None, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        chosen(name, None, size)
    assert "\n" not in str(error.value)
