"""Image files: round trips, what is refused and how, listing, channel axes."""

import errno
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from segraft.errors import UserError
from segraft.images.channels import spatial_axes, to_channels_first
from segraft.images.listing import list_images
from segraft.images.reading import is_image, own_label_key, read_image, read_labels, split_key
from segraft.images.writing import write_image

GREY = np.arange(12 * 17, dtype=np.uint16).reshape(12, 17) * 300
LABELS = (np.arange(12 * 17).reshape(12, 17) // 20).astype(np.uint32)


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    """The message, which must be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "name", ["a.tif", "a.TIFF", "a.png", "a.h5", "a.hdf5", "a.zarr", "a.h5:deep/er", "a.zarr:deep/er"]
)
def test_labels_survive_a_round_trip_in_every_format(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "new" / name, LABELS)
    result = read_labels(tmp_path / "new" / name)
    np.testing.assert_array_equal(result, LABELS)
    assert result.dtype == (np.uint16 if name.endswith("png") else np.uint32)
    assert len(list((tmp_path / "new").iterdir())) == 1


@pytest.mark.parametrize("suffix", [".tif", ".h5", ".zarr"])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint64, np.float32, np.float64])
def test_volumes_of_every_type_survive_a_round_trip(tmp_path: Path, suffix: str, dtype: type) -> None:
    volume = (np.arange(3 * 4 * 5).reshape(3, 4, 5) % 2).astype(dtype)
    write_image(tmp_path / f"a{suffix}", volume)
    result = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(result, volume)
    assert result.dtype == (np.uint8 if dtype is bool else dtype)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 3), st.integers(1, 40))
def test_odd_shapes_survive_in_tif_and_png(tmp_path_factory: pytest.TempPathFactory, height: int, width: int) -> None:
    path = tmp_path_factory.mktemp("odd")
    array = np.arange(height * width, dtype=np.uint16).reshape(height, width)
    for name in ("a.tif", "a.png"):
        write_image(path / name, array)
        np.testing.assert_array_equal(read_image(path / name), array)


def test_tif_is_compressed(tmp_path: Path) -> None:
    write_image(tmp_path / "a.tif", np.zeros((500, 500), np.uint32))
    assert (tmp_path / "a.tif").stat().st_size < 20_000


def test_colour_pictures_survive_and_are_marked_as_colour(tmp_path: Path) -> None:
    colour = np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3)
    for name in ("a.tif", "a.png"):
        write_image(tmp_path / name, colour)
        np.testing.assert_array_equal(read_image(tmp_path / name), colour)
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.pages.first.photometric == tifffile.PHOTOMETRIC.RGB


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


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.h5"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_files_cut_short_are_named(tmp_path: Path, name: str, kept: float) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 255, (60, 60)).astype(np.uint8)
    Image.fromarray(noise).save(path) if name == "a.jpg" else write_image(path, noise)
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


@pytest.mark.parametrize(
    "array",
    [
        np.full((3, 3), 65536, np.uint32),
        np.full((3, 3), -1, np.int32),
        np.zeros((3, 3)),
        np.zeros((9, 9, 9), np.uint8),
    ],
)
def test_png_refuses_what_it_cannot_hold(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"use \.tif") as error:
        write_image(tmp_path / "a.png", array)
    assert "png" in one_line(error)
    assert not list(tmp_path.iterdir())


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'\.jpg'.*\.tif"):
        write_image(tmp_path / "a.jpg", GREY)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.h5", "a.zarr"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / name, LABELS)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left on device") as error:
        write_image(tmp_path / name, LABELS * 0)
    assert name in one_line(error)
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    np.testing.assert_array_equal(read_labels(tmp_path / name), LABELS)


@pytest.mark.parametrize("name", ["a.tif", "a.h5", "a.zarr", "a.zarr:more"])
def test_a_failure_in_the_middle_leaves_nothing(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "a.zarr:more":
        write_image(tmp_path / "a.zarr", LABELS)

    def begun(*arguments: object, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", begun)
    monkeypatch.setattr(h5py.Group, "create_dataset", begun)
    monkeypatch.setattr(zarr.Group, "create_array", begun)
    monkeypatch.setattr(zarr, "create_array", begun)
    with pytest.raises(UserError, match="No space left"):
        write_image(tmp_path / name, LABELS)
    assert [path.name for path in tmp_path.iterdir()] == (["a.zarr"] if name == "a.zarr:more" else [])
    assert not list(tmp_path.rglob("*.part"))


def test_a_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match="Permission denied"):
        write_image(tmp_path / "new" / "a.tif", GREY)


@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_writing_a_key_keeps_the_other_arrays(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"v{suffix}"
    write_image(path, GREY, key="raw")
    write_image(path, LABELS)
    write_image(f"{path}:deep/labels", LABELS + 1)
    write_image(path, LABELS * 2)
    np.testing.assert_array_equal(read_image(path), GREY)
    np.testing.assert_array_equal(read_labels(path), LABELS * 2)
    np.testing.assert_array_equal(read_labels(f"{path}:deep/labels"), LABELS + 1)


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


def test_images_are_listed_once_in_natural_order(tmp_path: Path) -> None:
    for name in ("x10.tif", "x2.tif", "x1.PNG", "._x2.tif", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "v.zarr").mkdir()
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "y.tif").touch()
    names = ["v.zarr", "x1.PNG", "x2.tif", "x10.tif"]
    assert [path.name for path in list_images(tmp_path)] == names
    assert [path.name for path in list_images([tmp_path / "x2.tif", tmp_path, f"{tmp_path}/*"])] == names
    assert [path.name for path in list_images(f"{tmp_path}/**/*.tif")] == ["y.tif", "x2.tif", "x10.tif"]
    assert list_images(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    assert not is_image(tmp_path / "._x2.tif")


def test_missing_and_empty_inputs_are_named(tmp_path: Path) -> None:
    for item in (tmp_path, tmp_path / "none", f"{tmp_path}/*.tif"):
        with pytest.raises(UserError, match=str(tmp_path)):
            list_images(item)
    with pytest.raises(UserError, match="at least one"):
        list_images([])


@pytest.mark.parametrize(
    ("shape", "ndim", "expected"),
    [
        ((8, 9), 2, (1, 8, 9)),
        ((8, 9, 3), 2, (3, 8, 9)),
        ((8, 9, 4), 2, (3, 8, 9)),
        ((4, 8, 9), 2, (4, 8, 9)),
        ((1, 1), 2, (1, 1, 1)),
        ((1, 1, 3), 2, (3, 1, 1)),
        ((1, 2, 1, 8, 9), 2, (2, 8, 9)),
        ((8, 9, 9), 3, (1, 8, 9, 9)),
        ((2, 8, 9, 9), 3, (2, 8, 9, 9)),
        ((8, 9, 9, 2), 3, (2, 8, 9, 9)),
        ((1, 1, 1, 9, 9), 3, (1, 1, 9, 9)),
    ],
)
def test_the_channel_axis_is_found_by_rule(shape: tuple[int, ...], ndim: int, expected: tuple[int, ...]) -> None:
    assert to_channels_first(np.zeros(shape), ndim).shape == expected


def test_channels_are_picked_from_the_channel_axis() -> None:
    stains = np.arange(6 * 8 * 9).reshape(6, 8, 9)
    np.testing.assert_array_equal(to_channels_first(stains, 2, (4, 0)), stains[[4, 0]])
    np.testing.assert_array_equal(to_channels_first(stains.transpose(1, 2, 0), 2, (4, 0)), stains[[4, 0]])
    np.testing.assert_array_equal(to_channels_first(stains[:4].transpose(1, 2, 0), 2, (3,)), stains[[3]])


@pytest.mark.parametrize(
    ("shape", "ndim", "channels"),
    [
        ((6, 8, 9), 2, None),
        ((8,), 2, None),
        ((2, 8, 9, 9), 2, None),
        ((3, 8, 9), 2, (3,)),
        ((3, 8, 9), 2, ()),
    ],
)
def test_images_without_a_clear_channel_axis_are_refused(
    shape: tuple[int, ...], ndim: int, channels: tuple[int, ...] | None
) -> None:
    with pytest.raises(UserError, match=r"cell\.tif") as error:
        to_channels_first(np.zeros(shape), ndim, channels, "cell.tif")
    one_line(error)


@pytest.mark.parametrize(
    ("shape", "ndim"),
    [((8, 9), 2), ((8, 9, 3), 2), ((2, 8, 9), 2), ((8, 9, 9), 3), ((1, 2, 8, 9, 9), 3), ((1, 1), 2)],
)
def test_axes_of_space_without_labels(shape: tuple[int, ...], ndim: int) -> None:
    assert spatial_axes(np.zeros(shape)) == ndim
