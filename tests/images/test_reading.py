"""Image files read: every format, labels, keys of containers, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from segraft.errors import UserError
from segraft.images.channels import to_channels_first
from segraft.images.reading import own_label_key, read_image, read_labels, split_key
from segraft.images.sections import read_sections
from segraft.images.stacks import open_stack
from segraft.images.writing import write_image
from shared.messages import one_line

GREY = np.arange(12 * 17, dtype=np.uint16).reshape(12, 17) * 300
LABELS = (np.arange(12 * 17).reshape(12, 17) // 20).astype(np.uint32)


def test_sixteen_bit_colour_png_is_not_cut_to_eight_bits(tmp_path: Path) -> None:
    import imagecodecs

    colour = np.arange(6 * 7 * 3, dtype=np.uint16).reshape(6, 7, 3) * 500
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(colour))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colour)


def test_palette_png_gives_colours_for_an_image_and_its_index_for_labels(tmp_path: Path) -> None:
    index = np.array([[0, 1], [2, 2]], np.uint8)
    picture = Image.fromarray(index).convert("P")
    picture.putdata(index.ravel().tolist())
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "p.png"), index)
    np.testing.assert_array_equal(read_image(tmp_path / "p.png")[0, 1], (255, 0, 0))


def test_colour_masks_are_refused_with_the_hint(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(UserError, match="--dataset bbbc039") as error:
        read_labels(tmp_path / "m.png")
    assert "m.png" in one_line(error)


def test_float_and_negative_labels_are_refused(tmp_path: Path) -> None:
    for array in (np.full((5, 5), 0.5, np.float32), np.full((5, 5), -7, np.int16)):
        write_image(tmp_path / "m.tif", array)
        with pytest.raises(UserError, match=r"m\.tif"):
            read_labels(tmp_path / "m.tif")


def test_labels_lose_leading_axes_of_one(tmp_path: Path) -> None:
    write_image(tmp_path / "m.h5", LABELS[None, None])
    assert read_labels(tmp_path / "m.h5").shape == LABELS.shape


def test_a_named_channel_axis_comes_first(tmp_path: Path) -> None:
    stack = np.arange(4 * 2 * 5 * 6, dtype=np.uint16).reshape(4, 2, 5, 6)
    tifffile.imwrite(tmp_path / "s.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_image(tmp_path / "s.tif"), stack.transpose(1, 0, 2, 3))


def test_a_jpg_is_no_label_image(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg").shape == (9, 9)
    with pytest.raises(UserError, match="tif or png"):
        read_labels(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.bmp", "a.webp", "a.npy", "a.h5"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_files_cut_short_are_named(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
    if name in ("a.jpg", "a.bmp", "a.webp"):
        Image.fromarray(noise).save(path)
    else:
        np.save(path, noise) if name == "a.npy" else write_image(path, noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError) as error:
        read_image(path)
    assert str(path) in one_line(error)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.h5", "a.zarr", "a.txt", "a"])
def test_files_that_are_no_image_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Dear diary,")
    with pytest.raises(UserError) as error:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in one_line(error)


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    for name in ("none.tif", "none.h5:raw", "empty.zarr", "."):
        with pytest.raises(UserError) as error:
            read_image(tmp_path / name)
        assert str(tmp_path / name.split(":")[0]) in one_line(error)


def test_an_image_without_pixels_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", np.zeros((0, 5), np.uint8))
    with pytest.raises(UserError, match="no pixels"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_an_unknown_key_is_answered_with_the_known_ones(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    for key in ("first", "second"):
        write_image(path, GREY, key=key)
    with pytest.raises(UserError, match=r"'third'.*first, second"):
        read_image(f"{path}:third")
    with pytest.raises(UserError, match=r"first, second.*KEY"):
        read_image(path)
    assert own_label_key(path) is None
    assert own_label_key(path, "second") == "second"


def test_a_zarr_that_is_one_array(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "v.zarr", data=GREY)
    np.testing.assert_array_equal(read_image(tmp_path / "v.zarr"), GREY)
    for act in (lambda path: read_image(path), lambda path: write_image(path, GREY)):
        with pytest.raises(UserError, match="single array"):
            act(f"{tmp_path}/v.zarr:raw")


def ome_zarr(path: Path) -> None:
    """A pyramid of two levels, with labels, in the layout of OME-Zarr 0.5."""
    group = zarr.open_group(path, mode="w")
    axes = [
        {"name": "t"},
        {"name": "c"},
        *({"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"),
    ]
    levels = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 0.5, 0.5]}]}
        for level in range(2)
    ]
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": levels}]}
    group.create_array("0", data=np.arange(2 * 3 * 8 * 9).reshape(1, 2, 3, 8, 9))
    group.create_array("1", data=np.zeros((1, 2, 3, 4, 4)))
    labels = group.create_group("labels")
    labels.attrs["ome"] = {"labels": ["cells"]}
    cells = labels.create_group("cells")
    cells.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": levels}]}
    cells.create_array("0", data=np.ones((1, 1, 3, 8, 9), np.uint16))
    cells.create_array("1", data=np.ones((1, 1, 3, 4, 4), np.uint16))


def test_ome_zarr_gives_its_finest_level_and_its_labels(tmp_path: Path) -> None:
    ome_zarr(tmp_path / "x.ome.zarr")
    image = to_channels_first(read_image(tmp_path / "x.ome.zarr"), ndim=3)
    np.testing.assert_array_equal(image, np.arange(2 * 3 * 8 * 9).reshape(2, 3, 8, 9))
    assert read_labels(tmp_path / "x.ome.zarr").shape == (3, 8, 9)
    assert read_image(f"{tmp_path}/x.ome.zarr:1").shape == (1, 2, 3, 4, 4)
    assert own_label_key(tmp_path / "x.ome.zarr") == "labels"
    assert read_labels(f"{tmp_path}/x.ome.zarr:labels").shape == (3, 8, 9)


def test_keys_are_split_from_containers_only() -> None:
    assert split_key("a.h5:volumes/raw") == (Path("a.h5"), "volumes/raw")
    assert split_key("C:/a.ZARR:0") == (Path("C:/a.ZARR"), "0")
    assert split_key("C:/a.tif") == (Path("C:/a.tif"), None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16])
def test_a_tif_whose_white_is_zero_is_read_as_it_is_shown(tmp_path: Path, dtype: type) -> None:
    stored = (np.arange(2 * 12 * 17).reshape(2, 12, 17) % 100).astype(dtype)
    tifffile.imwrite(tmp_path / "m.tif", stored, photometric="miniswhite", metadata={"axes": "TYX"})
    expected = np.invert(stored)
    if dtype is not np.int16:
        np.testing.assert_array_equal(expected, np.iinfo(dtype).max - stored)
    np.testing.assert_array_equal(read_image(tmp_path / "m.tif"), expected)
    stack = open_stack(tmp_path / "m.tif", "m", channels=1)
    assert stack is not None
    np.testing.assert_array_equal(np.stack(list(stack.planes())), expected)


def test_labels_and_masks_are_never_inverted(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", LABELS.astype(np.uint8), photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(tmp_path / "m.tif"), LABELS)
    tifffile.imwrite(tmp_path / "b.tif", LABELS > 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "b.tif"), LABELS > 3)
    np.testing.assert_array_equal(read_image(tmp_path / "b.tif"), LABELS > 3)
    tifffile.imwrite(tmp_path / "v.tif", np.stack([LABELS.astype(np.uint8)] * 5), photometric="miniswhite")
    np.testing.assert_array_equal(read_sections(tmp_path / "v.tif", 1, 2, labels=True)[0], LABELS)


def test_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", LABELS)
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy"), LABELS)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.npy"), LABELS)
    assert read_image(tmp_path / "a.npy").flags.writeable
    np.save(tmp_path / "a.npy", np.array([{"a": 1}, None], object), allow_pickle=True)
    with pytest.raises(UserError, match="objects") as error:
        read_image(tmp_path / "a.npy")
    assert "a.npy" in one_line(error)


def test_bmp_and_webp(tmp_path: Path) -> None:
    grey = (GREY >> 8).astype(np.uint8)
    for name in ("a.bmp", "a.webp"):
        Image.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / name, lossless=True)
        np.testing.assert_array_equal(read_image(tmp_path / name)[..., 1], grey)
        with pytest.raises(UserError, match=r"colour|webp as labels"):
            read_labels(tmp_path / name)
    Image.fromarray(grey).save(tmp_path / "b.bmp")
    np.testing.assert_array_equal(read_labels(tmp_path / "b.bmp"), grey)
