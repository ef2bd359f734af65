"""Masks that do not number their objects: training asks what an object is, scoring says what it takes for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from segraft.data import DATASETS, open_dataset
from segraft.data.samples import LazySamples
from segraft.types import Sample
from shared.commands import SHORT, TINY, Capture, call, files, fill, refused, scene, train


def blobs(*pieces: int, value: int = 255, shape: tuple[int, ...] = (24, 24)) -> np.ndarray:
    """A mask with squares at these columns, all of one value."""
    mask = np.zeros(shape, np.uint8)
    for column in pieces:
        mask[..., 4:10, column : column + 4] = value
    return mask


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    masks = {"train/a": (2,), "train/b": (2, 8, 16), "val/c": (2, 12), "test/d": (3, 14)}
    for name, pieces in masks.items():
        fill(tmp_path / "cells" / name[:-2], {name[-1]: blobs(*pieces)})
    return tmp_path / "cells"


def test_training_asks_what_an_object_is(binary: Path, tmp_path: Path, capfd: Capture) -> None:
    words = "masks: got 2 with one object at most, that of b in 3 pieces, as thresholding gives, expected one number"
    refused(capfd, words, *train(binary, tmp_path / "out"))
    assert not files(tmp_path / "out")
    refused(capfd, "unknown masks 'piece'", *train(binary, tmp_path / "out"), "--options.masks", "piece")


@pytest.mark.parametrize("masks", ["components", "objects"])
def test_training_takes_the_answer(masks: str, binary: Path, tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out"
    assert call(capfd, *train(binary, out), "--options.masks", masks) == (0, [])
    tuning = ("tune", out, "--foreground-threshold", 0.5, "--minimum-size", 0, "--device", "cpu")
    assert call(capfd, *tuning) == (0, []), "what the run was told goes for tuning too"
    before = (out / "model.safetensors").read_bytes()
    refused(capfd, "masks: got 1 with one object", *tuning, "--options.seed", 0)
    assert (out / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("space", [(24, 24), (6, 24, 24)])
def test_pieces_become_objects(space: tuple[int, ...], tmp_path: Path) -> None:
    mask = blobs(2, 8, 16, shape=space).astype(np.int16)
    mask[..., -1, :] = -1
    root = fill(tmp_path / "train", dict.fromkeys("abcd", mask)).parent
    fill(root / "val", {"e": mask})
    default, as_it_is, pieces = (
        open_dataset("folder", root, "train", **options)[0].labels
        for options in ({}, {"masks": "objects"}, {"masks": "components"})
    )
    np.testing.assert_array_equal(default, mask)
    np.testing.assert_array_equal(as_it_is, mask)
    assert np.unique(pieces).tolist() == [-1, 0, 1, 2, 3]
    np.testing.assert_array_equal(pieces > 0, mask > 0)
    np.testing.assert_array_equal(pieces < 0, mask < 0)


def test_one_cell_per_image_is_no_question(tmp_path: Path, capfd: Capture) -> None:
    for split in ("train", "val"):
        fill(tmp_path / "cells" / split, {"a": blobs(2), "b": blobs(9)})
    assert call(capfd, *train(tmp_path / "cells", tmp_path / "out")) == (0, [])


@pytest.mark.parametrize("value", [0, -1])
def test_masks_without_an_object_are_not_trained_on(value: int, tmp_path: Path, capfd: Capture) -> None:
    for split in ("train", "val"):
        fill(tmp_path / "cells" / split, {name: np.full((24, 24), value, np.int16) for name in "ab"})
    refused(capfd, "got 2 for training, none with an object", *train(tmp_path / "cells", tmp_path / "out"))
    assert not files(tmp_path / "out")


def test_volumes_are_asked_about_too(tmp_path: Path, capfd: Capture) -> None:
    for split in ("train", "val"):
        fill(tmp_path / "cells" / split, {"a": blobs(2, 12, shape=(8, 24, 24))})
    words = ("train", "folder", "--root", tmp_path / "cells", "--network", "mala-tiny", "--filters", 1, 2, 2, 2)
    refused(capfd, "that of a in 2 pieces", *words, "--steps", 1, "--workers", 0, "--out", tmp_path / "out")


def test_data_sets_that_cannot_be_told_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    def read(number: int) -> Sample:
        return Sample(scene()[0][None], blobs(2, 12), str(number))

    monkeypatch.setitem(DATASETS, "plants", lambda root, split: LazySamples((0, 1), read))
    assert call(capfd, "train", "plants", *TINY, *SHORT, "--out", tmp_path / "out") == (0, [])


def test_scores_say_what_they_take_for_an_object(binary: Path, tmp_path: Path, capfd: Capture) -> None:
    predicted, scores = tmp_path / "predicted", tmp_path / "scores.json"
    predicted.mkdir()
    tifffile.imwrite(predicted / "d.tif", np.where(blobs(3), 1, np.where(blobs(14), 2, 0)).astype(np.uint16))
    of_folder = ("--dataset", "folder", "--root", binary, "--split", "test", "--json", scores)
    for against in ((binary / "test" / "masks",), of_folder):
        code, (line,) = call(capfd, "evaluate", predicted, *against)
        assert code == 0
        assert line.startswith("note: the truth has 1 with one object at most")
        assert "--options.masks components" in line
    assert '"n_true": 1' in scores.read_text()
    assert call(capfd, "evaluate", predicted, *of_folder, "--options.masks", "objects") == (0, [])
    assert call(capfd, "evaluate", predicted, *of_folder, "--options.masks", "components") == (0, [])
    assert '"pq": 1.0' in scores.read_text()
