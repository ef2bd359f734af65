"""CVPPP: the layout of the archive, palette indices as leaves, the drawn split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segraft.data.cvppp import TEST, cvppp
from segraft.errors import UserError


def plant(folder: Path, number: int, rng: np.random.Generator) -> None:
    """One plant as in the archive: RGBA with constant alpha, labels with a palette, foreground."""
    folder.mkdir(parents=True, exist_ok=True)
    rgb = rng.integers(0, 256, (6, 7, 4), np.uint8)
    rgb[..., 3] = 255
    leaves = np.zeros((6, 7), np.uint8)
    leaves[2], leaves[:, 3] = 5, 2  # leaf 5 lies on both sides of leaf 2
    Image.fromarray(rgb).save(folder / f"plant{number:03d}_rgb.png")
    label = Image.frombytes("P", (7, 6), leaves.tobytes())
    label.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 9, 9, 9])  # id 4 is black as well
    label.save(folder / f"plant{number:03d}_label.png")
    Image.fromarray(leaves > 0).save(folder / f"plant{number:03d}_fg.png")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Sixteen plants; the numbers have gaps."""
    rng = np.random.default_rng(0)
    for number in range(7, 38, 2):
        plant(tmp_path / "A1", number, rng)
    return tmp_path


def names(samples) -> list[str]:
    return [plant.name for plant in samples.items]


def test_leaves_are_palette_indices_and_alpha_is_dropped(archive: Path) -> None:
    for split in ("train", "val", "test"):
        for sample in cvppp(archive, split):
            file = archive / "A1" / f"{sample.name}_label.png"
            with Image.open(file) as picture:
                assert picture.mode == "P"
                indices = np.array([[picture.getpixel((x, y)) for x in range(7)] for y in range(6)])
            assert sample.labels is not None
            np.testing.assert_array_equal(sample.labels, indices)
            assert set(np.unique(sample.labels)) == {0, 2, 5}, "leaf 5 in two pieces stays one"
            with Image.open(archive / "A1" / f"{sample.name}_rgb.png") as picture:
                expected = np.stack([np.asarray(picture.getchannel(channel)) for channel in "RGB"])
            np.testing.assert_array_equal(sample.image, expected)
            assert sample.image.shape == (3, 6, 7)


def test_the_root_may_be_the_folder_itself_or_above(archive: Path) -> None:
    deep = archive / "CVPPP2017_LSC_training" / "training"
    assert names(cvppp(archive / "A1", "test")) == names(cvppp(archive, "test"))
    deep.mkdir(parents=True)
    (archive / "A1").rename(deep / "A1")
    assert len(cvppp(archive, "train")) == len(cvppp(deep.parent, "train")) == 13


def test_what_validates_is_drawn_and_what_tests_is_not(archive: Path) -> None:
    drawn = [names(cvppp(archive, split)) for split in ("train", "val", "test")]
    assert [len(part) for part in drawn] == [13, 1, 2]
    assert drawn[2] == ["plant029", "plant037"]
    assert len({name for part in drawn for name in part}) == 16
    assert all(names(cvppp(archive, "test", seed=seed)) == drawn[2] for seed in range(1, 4))
    assert any(names(cvppp(archive, "val", seed=seed)) != drawn[1] for seed in range(1, 4))


def test_of_128_plants_the_authors_20_are_for_testing(tmp_path: Path) -> None:
    others = [number for number in range(1, 170) if number not in TEST]
    for number in (*others[:108], *TEST):
        for kind in ("rgb", "label"):
            (tmp_path / f"plant{number:03d}_{kind}.png").touch()
    assert [len(cvppp(tmp_path, split)) for split in ("train", "val", "test")] == [97, 11, 20]
    assert names(cvppp(tmp_path, "test")) == [f"plant{number:03d}" for number in TEST]


def test_without_a_test_plant_it_is_said(tmp_path: Path) -> None:
    plant(tmp_path, 1, np.random.default_rng(0))
    with pytest.raises(UserError, match="got 1 images, too few for a test split"):
        cvppp(tmp_path, "test")


def test_mistakes_are_answered(archive: Path) -> None:
    (archive / "A2").mkdir()
    with pytest.raises(UserError, match=r"no plantNNN_rgb\.png.*plant-phenotyping"):
        cvppp(archive / "A2", "train")
    with pytest.raises(UserError, match="train, val, test"):
        cvppp(archive, "training")
    (archive / "A1" / "plant007_label.png").unlink()
    with pytest.raises(UserError, match=r"plant007_rgb\.png \(1 of 16 images\)"):
        cvppp(archive, "train")


def test_grey_images_and_other_shapes_are_refused(archive: Path) -> None:
    name = names(cvppp(archive, "train"))[0]
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(archive / "A1" / f"{name}_label.png")
    with pytest.raises(UserError, match=r"\(3, 6, 7\).*\(6, 8\)"):
        cvppp(archive, "train")[0]
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(archive / "A1" / f"{name}_rgb.png")
    with pytest.raises(UserError, match=r"\(1, 6, 8\).*expected \(3, y, x\)"):
        cvppp(archive, "train")[0]
