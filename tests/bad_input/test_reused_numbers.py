"""Numbers that are used again for other cells: training and tuning ask, scoring says so; components part them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segraft.data import open_dataset
from shared.commands import Capture, call, files, fill, refused, train


def cells(numbers: int | None = None) -> np.ndarray:
    """Twelve pairs of cells that touch, 5×5 pixels each; with ``numbers``, these in turn, else each its own."""
    labels = np.zeros((48, 64), np.int32)
    for cell in range(24):
        row, column = divmod(cell // 2, 4)
        left = column * 16 + 2 + cell % 2 * 5
        labels[row * 16 + 3 : row * 16 + 8, left : left + 5] = cell + 1
    return labels if numbers is None else np.where(labels, 2 + labels % numbers, 0)


@pytest.fixture
def reused(tmp_path: Path) -> Path:
    for split in ("train", "val", "test"):
        fill(tmp_path / "cells" / split, dict.fromkeys("ab", cells(3)))
    return tmp_path / "cells"


def test_training_and_tuning_ask(reused: Path, tmp_path: Path, capfd: Capture) -> None:
    out, words = (
        tmp_path / "out",
        "masks: got 3 of 3 numbers of a in pieces far apart, as if each were used for several",
    )
    refused(capfd, words, *train(reused, out))
    assert not files(out)
    assert call(capfd, *train(reused, out), "--options.masks", "components") == (0, [])
    tuning = ("tune", out, "--foreground-threshold", 0.5, "--minimum-size", 0)
    refused(capfd, words, *tuning, "--thickness", 2, "--device", "cpu", "--options.seed", 0)
    assert call(capfd, *tuning, "--thickness", 2, "--device", "cpu") == (0, [])


def test_training_takes_numbers_as_they_are_when_told(reused: Path, tmp_path: Path, capfd: Capture) -> None:
    assert call(capfd, *train(reused, tmp_path / "out"), "--options.masks", "objects") == (0, [])


def test_components_part_what_the_numbers_do_not(reused: Path) -> None:
    """Touching cells of different numbers, all above 1, stay apart."""
    labels = open_dataset("folder", reused, "train", masks="components")[0].labels
    np.testing.assert_array_equal(labels, cells())


def test_scores_say_so_and_are_right_with_the_remedy(reused: Path, tmp_path: Path, capfd: Capture) -> None:
    predicted, scores = tmp_path / "predicted", tmp_path / "scores.json"
    predicted.mkdir()
    for name in "ab":
        tifffile.imwrite(predicted / f"{name}.tif", cells())
    of_folder = ("--dataset", "folder", "--root", reused, "--split", "test", "--json", scores)
    for against in ((reused / "test" / "masks",), of_folder):
        code, (line,) = call(capfd, "evaluate", predicted, *against)
        assert code == 0
        assert line.startswith("note: the truth has 3 of 3 numbers of ")
        assert "--options.masks components" in line
    assert json.loads(scores.read_text())["mean"]["aji"] < 0.2
    assert call(capfd, "evaluate", predicted, *of_folder, "--options.masks", "components") == (0, [])
    assert json.loads(scores.read_text())["mean"]["aji"] == 1


def test_a_few_split_cells_are_no_question(tmp_path: Path, capfd: Capture) -> None:
    """One cell in two pieces far apart, and some that others cross."""
    labels = cells()
    labels[labels == 24] = 1
    labels[5, labels[5] > 0] = 30
    for split in ("train", "val"):
        fill(tmp_path / "cells" / split, dict.fromkeys("ab", labels))
    assert call(capfd, *train(tmp_path / "cells", tmp_path / "out")) == (0, [])
    masks = tmp_path / "cells" / "train" / "masks"
    assert call(capfd, "evaluate", masks, masks) == (0, [])
