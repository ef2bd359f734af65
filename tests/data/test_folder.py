"""The user's folder: layouts, splits, and what does not match."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segraft.data.folder import folder
from segraft.data.samples import SPLITS
from segraft.errors import Notice, UserError
from segraft.images.writing import write_image
from segraft.types import Sample

LABELS = np.arange(6 * 8, dtype=np.uint16).reshape(6, 8) // 10


def grey(number: int) -> np.ndarray:
    """A different image for each number."""
    return np.full((6, 8), number, np.uint16)


def pairs(root: Path, images: list[str], labels: list[str]) -> Path:
    """Write images, numbered from 0, and equal label images under ``root``."""
    for number, name in enumerate(images):
        write_image(root / name, grey(number), key="data")
    for name in labels:
        write_image(root / name, LABELS)
    return root


def read_all(root: Path, **options: object) -> dict[str, Sample]:
    """All samples of a folder's three splits by name."""
    return {sample.name: sample for split in SPLITS for sample in folder(root, split, **options)}


def refusal(root: Path, split: str = "train", **options: object) -> str:
    """The one line with which a folder is refused."""
    with pytest.raises(UserError) as error:
        folder(root, split, **options)[0]
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (["images/x{}.tif"], ["masks/x{}.tif"]),
        (["images/x{}.tif"], ["labels/x{}.png"]),
        (["images/x{}.png"], ["masks/x{}_mask.h5"]),
        (["images/x{}.h5"], ["labels/x{}-labels.zarr"]),
        (["images/x{}_img.tif"], ["masks/x{}_img_cp_masks.png"]),
        (["images/x{}_img.tif"], ["masks/x{}_masks.png"]),
        (["images/x{}.ome.tif"], ["masks/x{}.tif"]),
        (["images/x{}.tif"], ["images/x{}_label.tif"]),
        (["x{}.tif"], ["masks/x{}.tif"]),
        (["x{}.tif"], ["x{}_masks.tif"]),
        (["x{}_img.png"], ["x{}_Labels.tif"]),
        (["x{}.zarr"], ["x{}_mask.zarr"]),
    ],
)
def test_layouts(tmp_path: Path, images: list[str], labels: list[str]) -> None:
    numbers = (1, 2, 10)
    pairs(tmp_path, [images[0].format(n) for n in numbers], [labels[0].format(n) for n in numbers])
    (tmp_path / "notes.txt").write_text("not an image")
    samples = read_all(tmp_path)
    assert set(samples) == {"x1", "x2", "x10"}
    for value, number in enumerate(numbers):
        sample = samples[f"x{number}"]
        np.testing.assert_array_equal(sample.image, grey(value)[None])
        np.testing.assert_array_equal(sample.labels, LABELS)


def test_a_container_may_hold_image_and_labels(tmp_path: Path) -> None:
    for suffix in (".h5", ".zarr"):
        file = tmp_path / "test" / f"x{suffix}"
        write_image(file, grey(3), key="raw")
        write_image(file, LABELS, key="label")
        sample = folder(tmp_path, "test")[0]
        np.testing.assert_array_equal(sample.image[0], grey(3))
        np.testing.assert_array_equal(sample.labels, LABELS)
        write_image(file, LABELS + 1, key="mine")
        sample = folder(tmp_path, "test", label_key="mine", image_key="label")[0]
        np.testing.assert_array_equal(sample.image[0], LABELS)
        np.testing.assert_array_equal(sample.labels, LABELS + 1)
        (tmp_path / "test" / "x.h5").unlink(missing_ok=True)


def test_own_splits(tmp_path: Path) -> None:
    for split in SPLITS:
        pairs(
            tmp_path / split,
            [f"images/{split}1.tif", f"images/{split}2.tif"],
            [f"masks/{split}{n}.tif" for n in (1, 2)],
        )
    for split in SPLITS:
        assert [sample.name for sample in folder(tmp_path, split)] == [f"{split}1", f"{split}2"]


def test_validation_is_drawn_from_training_where_it_has_no_folder(tmp_path: Path) -> None:
    names = [f"x{number:02}" for number in range(20)]
    pairs(tmp_path / "train", [f"{name}.tif" for name in names], [f"{name}_masks.tif" for name in names])
    pairs(tmp_path / "test", ["y.tif"], ["y_masks.tif"])
    train, val, test = ([item.name for item in folder(tmp_path, split).items] for split in SPLITS)
    assert (len(train), len(val), test) == (17, 3, ["y"])
    assert sorted(train + val) == names


def test_own_splits_lack_one(tmp_path: Path) -> None:
    pairs(tmp_path / "train", ["x.tif"], ["x_masks.tif"])
    assert "no test/" in refusal(tmp_path, "test")
    pairs(tmp_path / "only" / "test", ["x.tif"], ["x_masks.tif"])
    assert "no train/" in refusal(tmp_path / "only", "train")


@pytest.mark.parametrize(("count", "expected"), [(3, (1, 1, 1)), (10, (6, 2, 2)), (40, (28, 6, 6))])
def test_drawn_splits_are_disjoint_complete_and_seeded(tmp_path: Path, count: int, expected: tuple[int, ...]) -> None:
    names = [f"x{number}" for number in range(count)]
    pairs(tmp_path, [f"images/{name}.png" for name in names], [f"masks/{name}.png" for name in names])

    def draw(seed: int) -> list[list[str]]:
        return [[item.name for item in folder(tmp_path, split, seed=seed).items] for split in SPLITS]

    drawn = draw(0)
    assert tuple(map(len, drawn)) == expected
    assert sorted(name for part in drawn for name in part) == sorted(names)
    assert drawn == draw(0)
    assert any(draw(seed) != drawn for seed in range(1, 9))


@settings(max_examples=10)
@given(st.integers(0, 10_000))
def test_an_added_image_moves_few_others(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    root = tmp_path_factory.mktemp("grow")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    for number in range(20):
        (root / "images" / f"x{number}.png").touch()
        (root / "masks" / f"x{number}.png").touch()
    before = {item.name for item in folder(root, "train", seed=seed).items}
    (root / "images" / "x20.png").touch()
    (root / "masks" / "x20.png").touch()
    after = {item.name for item in folder(root, "train", seed=seed).items}
    assert len(before - after) <= 2


@pytest.mark.parametrize("place", ["", "train"])
@pytest.mark.parametrize("count", [1, 2])
def test_of_few_images_training_and_validation_see_parts(tmp_path: Path, place: str, count: int) -> None:
    names = ["x.tif", "y.tif"][:count]
    pairs(tmp_path / place, names, [name.replace(".", "_mask.") for name in names])
    train = folder(tmp_path, "train")
    with pytest.warns(Notice, match=f"has {count} image.*a strip of each, which training does not see") as told:
        val = folder(tmp_path, "val")
    assert len(told) == 1
    assert [[sample.name for sample in split] for split in (train, val)] == [[name[0] for name in names]] * 2
    for number, (seen, unseen) in enumerate(zip(train, val, strict=True)):
        assert unseen.image.shape[:2] == (1, 6)  # cut along the longer side
        assert np.array_equal(np.concatenate([seen.image, unseen.image], axis=-1), grey(number)[None])
        assert np.array_equal(np.concatenate([seen.labels, unseen.labels], axis=-1), LABELS)
    refused = "no test/" if place else f"got {count} images, too few for a test split, expected at least 3"
    assert refused in refusal(tmp_path, "test")


def test_images_without_masks_and_masks_without_images_are_named(tmp_path: Path) -> None:
    pairs(tmp_path, ["images/x.tif", "images/y.tif"], ["masks/x.tif"])
    assert "y.tif" in refusal(tmp_path)
    (tmp_path / "images" / "y.tif").unlink()
    pairs(tmp_path, [], [f"masks/z{number}.tif" for number in range(5)])
    message = refusal(tmp_path)
    assert "z0.tif" in message
    assert "and 2 more" in message


def test_labels_may_be_missing_when_none_are_needed(tmp_path: Path) -> None:
    for number in range(3):
        write_image(tmp_path / f"x{number}.tif", np.zeros((9, 7, 3), np.uint8))
    assert "without labels" in refusal(tmp_path)
    sample = folder(tmp_path, "test", labelled=False)[0]
    assert sample.labels is None
    assert sample.image.shape == (3, 9, 7)


def test_shapes_that_differ_are_refused(tmp_path: Path) -> None:
    pairs(tmp_path, ["x.tif"], [])
    write_image(tmp_path / "x_mask.tif", LABELS[:-1])
    message = refusal(tmp_path)
    assert "x.tif" in message
    assert "(6, 8)" in message
    assert "(5, 8)" in message


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert "none" in refusal(tmp_path / "none")
    assert str(tmp_path / "images") in refusal(tmp_path)
    pairs(tmp_path, ["images/x.tif"], ["masks/x.tif", "labels/x.tif"])
    assert "both" in refusal(tmp_path)


def test_two_images_of_one_name_are_refused(tmp_path: Path) -> None:
    pairs(tmp_path, ["images/x.tif", "images/x.png"], ["masks/x.tif"])
    assert "same name 'x'" in refusal(tmp_path)


def test_a_broken_container_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"broken")
    assert "x.h5" in refusal(tmp_path)


def test_colour_masks_and_unknown_options_are_refused(tmp_path: Path) -> None:
    pairs(tmp_path, ["x.tif"], [])
    write_image(tmp_path / "x_mask.png", np.zeros((6, 8, 3), np.uint8))
    assert "--dataset bbbc039" in refusal(tmp_path)
    assert "ndim" in refusal(tmp_path, ndim=4)
    assert "train, val, test" in refusal(tmp_path, "valid")


@pytest.mark.parametrize("shape", [(7, 20, 24), (20, 24, 7), (20, 24, 4)], ids=str)
def test_the_labels_tell_which_axis_holds_channels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 200, shape).astype(np.uint8)
    (tmp_path / "test").mkdir()
    tifffile.imwrite(tmp_path / "test" / "x.tif", image, photometric="minisblack")
    tifffile.imwrite(tmp_path / "test" / "x_masks.tif", np.tile(np.arange(24, dtype=np.uint16), (20, 1)))
    first = image if shape[0] == 7 else np.moveaxis(image, -1, 0)
    read = folder(tmp_path, "test")[0].image
    np.testing.assert_array_equal(read, first[:3] if shape[-1] == 4 else first)
    np.testing.assert_array_equal(folder(tmp_path, "test", channels=[3, 1])[0].image, first[[3, 1]])


def test_axes_of_space_go_by_the_labels_and_channels_are_picked(tmp_path: Path) -> None:
    place = tmp_path / "test"
    write_image(place / "x.tif", np.arange(3 * 6 * 8, dtype=np.uint16).reshape(3, 6, 8))
    write_image(place / "x_mask.tif", LABELS)
    assert folder(tmp_path, "test")[0].image.shape == (3, 6, 8)
    np.testing.assert_array_equal(folder(tmp_path, "test", channels=[2])[0].image, tifffile.imread(place / "x.tif")[2:])
    write_image(place / "x_mask.tif", np.stack([LABELS] * 3))
    assert folder(tmp_path, "test")[0].image.shape == (1, 3, 6, 8)
    assert "x.tif" in refusal(tmp_path, "test", channels=[1])


def test_voxel_size_is_read(tmp_path: Path) -> None:
    for key, array in (("raw", np.zeros((3, 6, 8), np.uint8)), ("label", np.stack([LABELS] * 3))):
        write_image(tmp_path / "x.h5", array, key=key)
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file["raw"].attrs["resolution"] = (40, 4, 4)
    assert folder(tmp_path, "train")[0].voxel_size == (40.0, 4.0, 4.0)


def test_real_volumes(real_data: Path) -> None:
    samples = folder(real_data / "plantseg_mini", "train", seed=1)
    for sample in samples:
        assert sample.image.shape[2:] == (100, 100)
        assert 50 < sample.image.shape[1] < 100  # of two, a part of each is for validation
        assert sample.labels is not None
        assert len(np.unique(sample.labels)) > 30


def test_a_tif_of_several_images_is_refused_or_one_of_them_named(tmp_path: Path) -> None:
    root = pairs(tmp_path, [], [f"masks/x{number}.tif" for number in range(4)])
    (root / "images").mkdir()
    for number in range(4):
        with tifffile.TiffWriter(root / "images" / f"x{number}.tif") as tif:
            for brightness in (number, 10 + number):
                tif.write(grey(brightness), photometric="minisblack", contiguous=False)
    assert "2 images in one file" in refusal(root)
    for name, sample in read_all(root, image_key="1").items():
        np.testing.assert_array_equal(sample.image[0], grey(10 + int(name[1])))
    assert "expected 0 to 1" in refusal(root, image_key="2")


def test_arrays_of_numpy_and_pictures_of_other_kinds(tmp_path: Path) -> None:
    root = pairs(tmp_path, [], [f"masks/x{number}.tif" for number in range(4)])
    (root / "images").mkdir()
    for number in range(2):
        np.save(root / "images" / f"x{number}.npy", grey(number))
    for number, suffix in ((2, "bmp"), (3, "webp")):
        Image.fromarray(grey(number).astype(np.uint8)).save(root / "images" / f"x{number}.{suffix}", lossless=True)
    for name, sample in read_all(root).items():
        assert (sample.image[0] == int(name[1])).all()
