"""AC3 and AC4: usual names of the stacks, sections by split."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from segraft.data.ac34 import ac34
from segraft.errors import UserError


def stack(path: Path, sections: int, dtype: type, seed: int) -> np.ndarray:
    """Write a stack of 3 × 4 pixels a section under one key, or as tif, and return it."""
    array = np.random.default_rng(seed).integers(0, 200, (sections, 3, 4)).astype(dtype)
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["main"] = array
    else:
        tifffile.imwrite(path, array, compression="zlib", photometric="minisblack")
    return array


@pytest.fixture(params=["h5", "tif", "snemi"])
def volumes(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """AC4 with 100 sections and AC3 with 120."""
    names = ["AC4_inputs.{}", "AC4_labels.{}", "AC3_inputs.{}", "AC3_labels.{}"]
    if request.param == "snemi":
        names = ["train-input.tif", "train-labels.tif", "test-input.tif", "test-labels.tif"]
    kinds = [
        ("AC4 image", 100, np.uint8),
        ("AC4", 100, np.uint16),
        ("AC3 image", 120, np.uint8),
        ("AC3", 120, np.uint16),
    ]
    return tmp_path, {
        kind: stack(tmp_path / name.format(request.param), sections, dtype, seed)
        for seed, (name, (kind, sections, dtype)) in enumerate(zip(names, kinds, strict=True))
    }


@pytest.mark.parametrize(
    ("split", "volume", "begin", "end"), [("train", "AC4", 0, 80), ("val", "AC4", 80, 100), ("test", "AC3", 0, 100)]
)
def test_sections_of_the_splits(volumes, split: str, volume: str, begin: int, end: int) -> None:
    root, arrays = volumes
    (sample,) = ac34(root, split)
    np.testing.assert_array_equal(sample.image[0], arrays[f"{volume} image"][begin:end])
    np.testing.assert_array_equal(sample.labels, arrays[volume][begin:end])
    assert sample.voxel_size == (29, 3, 3)
    assert sample.name == f"{volume}_z{begin:03d}-{end:03d}"


def test_voxel_size_can_be_told(volumes) -> None:
    assert ac34(volumes[0], "val", voxel_size=(30.0, 6.0, 6.0))[0].voxel_size == (30, 6, 6)
    for wrong in ((6.0, 6.0), (30.0, 0.0, 6.0), (30.0, float("nan"), 6.0)):
        with pytest.raises(UserError, match="three positive lengths"):
            ac34(volumes[0], "val", voxel_size=wrong)


def test_one_volume_is_enough_for_its_splits(tmp_path: Path) -> None:
    stack(tmp_path / "AC4_inputs.h5", 100, np.uint8, 0)
    with pytest.raises(UserError, match=r"no stacks of AC4, expected AC4_inputs and AC4_labels or train-input"):
        ac34(tmp_path, "train")
    labels = stack(tmp_path / "AC4_labels.tif", 100, np.uint16, 1)
    np.testing.assert_array_equal(ac34(tmp_path, "val")[0].labels, labels[80:])
    with pytest.raises(UserError, match="no stacks of AC3"):
        ac34(tmp_path, "test")


def test_mistakes_are_answered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train, val, test"):
        ac34(tmp_path, "training")
    stack(tmp_path / "AC4_inputs.h5", 90, np.uint8, 0)
    stack(tmp_path / "AC4_labels.h5", 90, np.uint8, 0)
    assert len(ac34(tmp_path, "train")) == 1
    with pytest.raises(UserError, match="90 sections, expected 100 or more"):
        ac34(tmp_path, "val")
    stack(tmp_path / "AC4_labels.h5", 91, np.uint8, 0)
    with pytest.raises(UserError, match=r"\(90, 3, 4\).*\(91, 3, 4\)"):
        ac34(tmp_path, "train")
