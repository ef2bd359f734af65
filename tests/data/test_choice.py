"""The data set that a user names, and what does not go with it."""

from __future__ import annotations

from typing import Any

import pytest

from segraft.data.choice import DataChoice
from segraft.errors import UserError


def test_a_choice_opens_its_split() -> None:
    samples = DataChoice("synthetic", None, "val", {"count": "2", "size": (8, 9)}).open()
    assert len(samples) == 2
    assert samples[0].name.startswith("val")
    assert samples[0].image.shape == (1, 8, 9)


@pytest.mark.parametrize(
    ("choice", "files", "words"),
    [
        ({"name": "synthetic"}, True, "got files and the data set 'synthetic'"),
        ({"name": None}, False, "got neither files nor a data set"),
        ({"name": None, "root": "data"}, True, "got root data and .* without a data set"),
        ({"name": None, "options": {"seed": 1}}, True, "options {'seed': 1} without a data set"),
        ({"name": None, "root": "data"}, False, "--dataset"),
    ],
)
def test_one_source_is_needed(choice: dict[str, Any], files: bool, words: str) -> None:
    with pytest.raises(UserError, match=f"^the truth: .*{words}") as caught:
        DataChoice(**choice).check("the truth", files)
    assert "\n" not in str(caught.value)


def test_one_source_is_enough() -> None:
    DataChoice("synthetic", "data", "train", {"seed": 1}).check("the truth", files=False)
    DataChoice(None).check("the truth", files=True)
