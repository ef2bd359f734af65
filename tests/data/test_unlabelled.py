"""Images without labels: found, arranged as those with labels, and refused where they are of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from segraft.data.unlabelled import Wanted, unlabelled_images
from segraft.errors import UserError
from segraft.images.writing import write_image


def written(folder: Path, name: str, shape: tuple[int, ...]) -> Path:
    path = folder / name
    write_image(path, np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8))
    return path


def test_folders_globs_and_files_without_label_images(tmp_path: Path) -> None:
    for name in ("a.tif", "b_img.tif", "a_masks.tif"):
        written(tmp_path / "one", name, (40, 50))
    written(tmp_path / "two", "c.png", (40, 50))
    samples = unlabelled_images([tmp_path / "one", str(tmp_path / "t*" / "*.png")], Wanted(1, (32, 32)))
    assert [sample.name for sample in samples] == ["a", "b", "c"]
    assert all(sample.labels is None and sample.image.shape == (1, 40, 50) for sample in samples)


def test_grey_in_colour_and_chosen_channels(tmp_path: Path) -> None:
    grey = np.repeat(np.arange(40 * 40, dtype=np.uint8).reshape(40, 40, 1), 3, axis=2)
    write_image(tmp_path / "grey.png", grey)
    assert unlabelled_images([tmp_path], Wanted(1, (32, 32)))[0].image.shape == (1, 40, 40)
    colour = written(tmp_path, "colour.png", (40, 40, 3))
    assert unlabelled_images([colour], Wanted(3, (32, 32)))[0].image.shape == (3, 40, 40)
    assert unlabelled_images([colour], Wanted(2, (32, 32), channels=(2, 0)))[0].image.shape == (2, 40, 40)


@pytest.mark.parametrize(
    ("shape", "wanted", "answer"),
    [
        ((40, 40, 3), Wanted(1, (32, 32)), r"got 3 channels, expected 1, as in training; choose which"),
        ((40, 40), Wanted(3, (32, 32)), r"got 1 channels, expected 3"),
        ((20, 40, 40), Wanted(1, (32, 32)), r"got shape \(20, 40, 40\), expected 2 axes of space"),
        ((40, 40), Wanted(1, (16, 32, 32)), r"got shape \(40, 40\), expected 3 axes of space"),
        ((40, 31), Wanted(1, (32, 32)), r"got 40 × 31 pixels, expected 32 × 32 or more, as patches have"),
    ],
)
def test_images_of_another_kind(tmp_path: Path, shape: tuple[int, ...], wanted: Wanted, answer: str) -> None:
    path = written(tmp_path, "x.tif", shape)
    with pytest.raises(UserError, match=answer) as caught:
        list(unlabelled_images([path], wanted))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_none_at_all(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image in the folder"):
        unlabelled_images([tmp_path], Wanted(1, (32, 32)))
    with pytest.raises(UserError, match="nothing does not exist, expected an image, a folder or a glob"):
        unlabelled_images([tmp_path / "nothing"], Wanted(1, (32, 32)))
    written(tmp_path, "a_masks.tif", (40, 40))
    with pytest.raises(UserError, match=r"got 1 files named as label images are, .*a_masks\.tif for example"):
        unlabelled_images([tmp_path], Wanted(1, (32, 32)))
