"""Runs compared on the same images: what is needed, and what is said about differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segraft.commands.report import compare, paired_difference, verdict
from segraft.errors import UserError


def test_a_comparison_needs_truth(tmp_path: Path, cells: Path) -> None:
    for mask in (cells / "masks").iterdir():
        mask.unlink()
    with pytest.raises(UserError):
        compare({}, "folder", cells, "test", tmp_path)


def test_paired_difference_is_that_of_the_images() -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=50)  # how hard each image is counts for both
    mean, low, high = paired_difference((images + 0.1).tolist(), images.tolist())
    assert mean == pytest.approx(0.1)
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.1)
    noise = rng.normal(size=400)
    mean, low, high = paired_difference(noise.tolist(), [0.0] * 400)
    error = 1.96 * noise.std() / 20
    assert mean == pytest.approx(noise.mean())
    assert (low, high) == (pytest.approx(mean - error, abs=0.01), pytest.approx(mean + error, abs=0.01))


@pytest.mark.parametrize(
    ("gain", "words"), [(0.1, ": it is better."), (-0.1, ": it is worse."), (0.0, ": no clear difference.")]
)
def test_the_verdict_says_what_the_numbers_say(gain: float, words: str) -> None:
    spread = [0.05, -0.05, 0.01, -0.01, 0.0]
    by_image: dict[str, Any] = {
        "teacher": [{"aji": 0.9}] * 5,
        "student alone": [{"aji": 0.5}] * 5,
        "student distilled": [{"aji": 0.5 + gain + noise} for noise in spread],
    }
    first, warning = verdict(by_image)
    assert words in first
    assert f"{abs(gain):.3f} (95 % interval" in first
    assert "One run of each" in warning
    assert verdict({"teacher": [{"aji": 0.9}]}) == [warning]
    few = {name: scores[:4] for name, scores in by_image.items()}
    assert verdict(few)[0].endswith("too few images to tell.")
