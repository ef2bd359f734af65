"""BBBC010: the layout of the archive, worms that overlap, wells without images, the real files."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.ndimage import binary_dilation

from segraft.data.bbbc010 import bbbc010, merge_worms
from segraft.errors import UserError
from segraft.images.writing import write_image

WELLS = [f"{row}{column:02d}" for row in "AB" for column in range(1, 11)]


def worm(root: Path, well: str, number: int, mask: np.ndarray) -> None:
    folder = root / "BBBC010_v1_foreground_eachworm"
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / f"{well}_{number:02d}_ground_truth.png")


def image(root: Path, well: str, channel: int = 2, value: int = 100) -> Path:
    path = root / "BBBC010_v1_images" / f"1649_1109_0003_Amp5-1_B_20070424_{well}_w{channel}_15ADF48D-C09E.tif"
    write_image(path, np.full((8, 10), value, np.uint16))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Twenty wells with both channels; two worms each, which do not touch."""
    for number, well in enumerate(WELLS):
        image(tmp_path, well, 1, 7)
        image(tmp_path, well, 2, 100 + number)
        for row in (1, 2):
            mask = np.zeros((8, 10), bool)
            mask[3 * row - 2 : 3 * row, 1:6] = True
            worm(tmp_path, well, row, mask)
    return tmp_path


def brute_force(masks: np.ndarray) -> np.ndarray:
    """Label every pixel by the worm whose nearest pixel outside, on an endless plane, is farthest."""
    count, height, width = masks.shape
    outside = [
        [(y, x) for y in range(-1, height + 1) for x in range(-1, width + 1) if not _inside(mask, y, x)]
        for mask in masks
    ]
    labels = np.zeros((height, width), int)
    for y in range(height):
        for x in range(width):
            depths = [min((y - a) ** 2 + (x - b) ** 2 for a, b in outside[worm]) for worm in range(count)]
            labels[y, x] = np.argmax(depths) + 1 if max(depths) else 0
    return labels


def _inside(mask: np.ndarray, y: int, x: int) -> bool:
    return 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and bool(mask[y, x])


masks = arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6)))


@settings(max_examples=20)
@given(masks)
def test_overlap_belongs_to_the_worm_in_which_it_lies_deepest(masks: np.ndarray) -> None:
    np.testing.assert_array_equal(merge_worms(masks), brute_force(masks))


@given(masks)
def test_unknown_overlap_is_what_two_worms_cover(masks: np.ndarray) -> None:
    labels = merge_worms(masks, "unknown")
    covered = masks.sum(axis=0)
    np.testing.assert_array_equal(labels == -1, covered > 1)
    for number, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(labels == number, mask & (covered == 1))


def test_order_matters_to_ties_only() -> None:
    first, second = np.zeros((12, 12), bool), np.zeros((12, 12), bool)
    first[1:6, 1:11], second[4:11, 2:11] = True, True
    labels, swapped = merge_worms([first, second]), merge_worms([second, first])
    overlap = first & second
    assert set(np.unique(labels[overlap])) == {1, 2}, "both have a part of it"
    same = (labels == 1) == (swapped == 2)
    assert same[~overlap].all()
    assert (~same).sum() < overlap.sum() / 2


def test_a_sample_is_brightfield_with_worms_by_number(archive: Path) -> None:
    samples = [sample for split in ("train", "val", "test") for sample in bbbc010(archive, split)]
    assert sorted(sample.name for sample in samples) == WELLS
    for sample in samples:
        assert sample.image.shape == (1, 8, 10)
        assert sample.image.dtype == np.uint16
        assert (sample.image == 100 + WELLS.index(sample.name)).all(), "w2 of the same well"
        assert sample.labels is not None
        expected = np.zeros((8, 10), int)
        expected[1:3, 1:6], expected[4:6, 1:6] = 1, 2
        np.testing.assert_array_equal(sample.labels, expected)


def test_half_is_for_testing_and_a_tenth_of_the_rest_for_validation(archive: Path) -> None:
    drawn = [[well.name for well in bbbc010(archive, split).items] for split in ("train", "val", "test")]
    assert [len(names) for names in drawn] == [9, 1, 10]
    assert sorted(name for names in drawn for name in names) == WELLS
    assert drawn[2] == [well.name for well in bbbc010(archive, "test").items]
    assert drawn[2] != [well.name for well in bbbc010(archive, "test", seed=1).items]


def test_a_well_without_image_is_left_out_and_moves_no_other(archive: Path) -> None:
    before = [well.name for well in bbbc010(archive, "test").items]
    image(archive, before[3]).unlink()
    with pytest.warns(UserWarning, match=f"no image of {before[3]}; left out of the test split"):
        after = [well.name for well in bbbc010(archive, "test").items]
    assert after == before[:3] + before[4:]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bbbc010(archive, "train")
    for name in after:
        image(archive, name).unlink()
    with pytest.raises(UserError, match="no image of the test wells"):
        bbbc010(archive, "test")


def test_version_2_of_the_images_goes_first(archive: Path) -> None:
    (archive / "BBBC010_v1_images").rename(archive / "BBBC010_v2_images")
    assert len(bbbc010(archive, "train")) == 9
    (archive / "BBBC010_v1_images").mkdir()
    assert len(bbbc010(archive, "train")) == 9


def test_mistakes_are_answered(archive: Path) -> None:
    with pytest.raises(UserError, match=r"BBBC010_v2_images.*not found.*segraft download bbbc010"):
        bbbc010(archive / "BBBC010_v1_images", "train")
    with pytest.raises(UserError, match="known: deepest, unknown"):
        bbbc010(archive, "train", overlap="both")
    with pytest.raises(UserError, match="train, val, test"):
        bbbc010(archive, "training")
    well = bbbc010(archive, "train").items[0]
    worm(archive, well.name, 1, np.ones((3, 3), bool))
    with pytest.raises(UserError, match=r"\(8, 10\).*\(3, 3\)"):
        bbbc010(archive, "train")[0]


@pytest.mark.filterwarnings("ignore:.*left out of the:UserWarning")
def test_real_wells(real_data: Path) -> None:
    root = real_data / "bbbc010"
    assert [len(bbbc010(root, split)) for split in ("train", "val", "test")] == [43, 5, 49]
    well = bbbc010(root, "test").items[0]
    sample, unknown = bbbc010(root, "test")[0], bbbc010(root, "test", overlap="unknown")[0]
    masks = np.stack([np.asarray(Image.open(path)) > 0 for path in well.worms])
    assert sample.image.shape == (1, *masks[0].shape) == (1, 520, 696)
    assert sample.labels is not None
    assert unknown.labels is not None
    alone = masks.sum(axis=0) == 1
    np.testing.assert_array_equal(sample.labels[alone], masks.argmax(axis=0)[alone] + 1)
    np.testing.assert_array_equal(sample.labels > 0, masks.any(axis=0))
    np.testing.assert_array_equal(unknown.labels == -1, masks.sum(axis=0) > 1)
    # A bright halo surrounds the worms: the masks lie where they are.
    inside = sample.labels > 0
    halo = binary_dilation(inside, iterations=6) & ~binary_dilation(inside)
    assert sample.image[0][inside].mean() < 0.7 * sample.image[0][halo].mean()
