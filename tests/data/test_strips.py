"""Strips of images to validate on: what training does not see, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.cli import main
from segraft.data.strips import strip
from segraft.images.writing import write_image
from segraft.types import Sample
from shared.commands import SHORT, TINY, Capture, call, scene


@given(st.integers(1, 3), st.lists(st.integers(1, 9), min_size=2, max_size=3), st.booleans())
def test_both_parts_make_the_whole(channels: int, space: list[int], labelled: bool) -> None:
    image = np.arange(channels * np.prod(space)).reshape(channels, *space)
    sample = Sample(image, image[0] if labelled else None, "x", (2.0,) * len(space))
    parts = [strip(sample, split) for split in ("train", "val")]
    axis = int(np.argmax(space))
    assert np.array_equal(np.concatenate([part.image for part in parts], axis + 1), image)
    for part in parts:
        assert (part.name, part.voxel_size) == (sample.name, sample.voxel_size)
        assert (part.labels is None) != labelled
        assert part.labels is None or np.array_equal(part.labels, part.image[0])
    assert all(part.image.size for part in parts) or max(space) == 1


@given(st.integers(2, 60), st.integers(0, 40), st.integers(1, 20))
def test_both_parts_have_objects(length: int, first: int, count: int) -> None:
    """A quarter of the objects' pixels is for validation, wherever they lie; else any model would be the best."""
    labels = np.full((3, 100), -1)
    labels[:, first : first + length] = 0
    objects = labels[1, first : first + length]
    objects[: min(count, length)] = 1
    sample = Sample(labels[None], labels, "x")
    train, val = (np.count_nonzero(np.asarray(strip(sample, split).labels) > 0) for split in ("train", "val"))
    assert val == min(count, length) // 4
    assert train + val == min(count, length)


def test_without_objects_a_quarter_is_for_validation() -> None:
    for labels in (None, np.zeros((8, 12), np.uint8)):
        sample = Sample(np.zeros((1, 8, 12)), labels, "x")
        assert [strip(sample, split).image.shape for split in ("train", "val")] == [(1, 8, 9), (1, 8, 3)]


@pytest.mark.filterwarnings("default::segraft.errors.Notice")
@pytest.mark.parametrize("count", [1, 2])
def test_few_images_are_trained_on_and_the_user_is_told(
    count: int, tmp_path: Path, capfd: Capture, without_reports: None
) -> None:
    for number in range(count):
        for folder, array in zip(("images", "masks"), scene(number), strict=True):
            write_image(tmp_path / "cells" / folder / f"{number}.tif", array)
    tokens = "train", "folder", "--root", tmp_path / "cells", *TINY, *SHORT, "--out", tmp_path / "run"
    code, lines = call(capfd, *tokens)
    assert code == 0
    (notice,) = lines
    assert notice == (
        f"segraft: {tmp_path / 'cells'} has {count} image{'s' * (count > 1)}: "
        "validating on a strip of each, which training does not see"
    )
    assert main(["tune", str(tmp_path / "run"), "--foreground-threshold", "0.5", "--minimum-size", "0"]) == 0
