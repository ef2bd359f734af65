"""Image files written: round trips through every format, what a format cannot hold, and failures that leave nothing."""

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

from segraft.errors import UserError
from segraft.images.reading import read_image, read_labels
from segraft.images.stacks import plane_axes
from segraft.images.voxel_size import read_voxel_size
from segraft.images.writing import write_image, write_labels
from shared.messages import one_line

GREY = np.arange(12 * 17, dtype=np.uint16).reshape(12, 17) * 300
LABELS = (np.arange(12 * 17).reshape(12, 17) // 20).astype(np.uint32)


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


SIZES = st.floats(0.1, 9000)


@settings(deadline=None, max_examples=30)
@given(axes=st.sampled_from(["", "T", "Z", "TZ", "?", "?Z"]), size=st.tuples(SIZES, SIZES, SIZES))
@pytest.mark.parametrize("suffix", [".tif", ".h5", ".zarr"])
def test_labels_keep_the_size_of_a_voxel(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, axes: str, size: tuple[float, ...]
) -> None:
    """Also with z known where no axis is z, or not known; ImageJ takes a spacing that is not stated for 1."""
    labels = np.arange(2 ** len(axes) * 30, dtype=np.uint32).reshape(*[2] * len(axes), 5, 6)
    path = tmp_path_factory.mktemp("sizes") / f"a{suffix}"
    write_labels(path, labels, axes, size)
    expected = size if "Z" in axes and (axes, suffix) != ("?Z", ".tif") else size[-2:]
    assert read_voxel_size(path) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_array_equal(read_image(path), labels)
    assert suffix != ".tif" or plane_axes(path) == axes
    write_labels(path, labels, axes, size[-2:])
    written = read_voxel_size(path)
    assert written is not None
    assert written[-2:] == pytest.approx(size[-2:], rel=1e-4)
    assert written[:-2] in ((), (1000,))


def test_a_zarr_that_describes_an_image_keeps_that(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w")
    group.create_array("0", data=GREY)
    described = {"version": "0.5", "multiscales": [{"axes": [], "datasets": [{"path": "0"}]}]}
    group.attrs["ome"] = described
    write_labels(path, LABELS, "", (300.0, 300.0))
    assert zarr.open_group(path, mode="r").attrs["ome"] == described
    np.testing.assert_array_equal(read_labels(path), LABELS)
