"""Stacks read plane by plane, and the images of one file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from segraft.errors import UserError
from segraft.images.reading import read_image, split_key, with_key
from segraft.images.stacks import each_image, open_stack
from segraft.images.tif import write_tif_planes
from shared.messages import one_line

IMAGE = np.arange(7 * 8, dtype=np.uint8).reshape(7, 8)


@given(
    array=hnp.arrays(np.uint32, st.tuples(*[st.integers(1, 4)] * 4), elements=st.integers(0, 2**32 - 1)),
    axes=st.sampled_from(["T", "Z", "TZ", "ZT", "??"]),
)
def test_a_written_stack_is_read_plane_by_plane(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, axes: str
) -> None:
    array = array if len(axes) == 2 else array[0]
    path = tmp_path_factory.mktemp("stack") / "s.tif"
    write_tif_planes(path, array, axes, (2000.0, 300.0, 250.0)[-2 if axes == "T" else 0 :])
    stack = open_stack(path, "s", channels=1, planes=True)
    count = int(np.prod(array.shape[: len(axes)]))
    if stack is None:
        assert count == 1 or axes == "??"
    elif axes != "??":
        read = np.stack(list(stack.planes()))
        np.testing.assert_array_equal(read.reshape(-1), array.reshape(-1))
        assert stack.axes in axes
        assert len(read) == count


def test_single_images_are_no_stacks(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((7, 8, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(tmp_path / "t.tif", IMAGE[None], imagej=True, metadata={"axes": "TYX"})
    np.save(tmp_path / "a.npy", IMAGE[None])
    for name in ("a.tif", "rgb.tif", "t.tif", "a.npy", "a.png"):
        assert open_stack(tmp_path / name, "a", channels=1, planes=True) is None


def test_a_named_channel_axis_is_one_unless_the_user_knows_better(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.tif", np.stack([IMAGE] * 3), imagej=True, metadata={"axes": "CYX"})
    assert open_stack(tmp_path / "c.tif", "c", channels=1) is None
    stack = open_stack(tmp_path / "c.tif", "c", channels=1, planes=True)
    assert stack is not None
    assert (stack.axes, stack.shape) == ("?", (3,))


def test_reduced_copies_are_no_images_of_their_own(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(IMAGE, photometric="minisblack", metadata=None)
        tif.write(IMAGE[::2, ::2], photometric="minisblack", metadata=None, subfiletype=1)
    assert each_image(tmp_path / "a.tif") == [(tmp_path / "a.tif", "a")]
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), IMAGE)


def two(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        tif.write(IMAGE, photometric="minisblack", metadata=None)
        tif.write(IMAGE[1:], photometric="minisblack", metadata=None)


def test_several_images_are_never_taken_for_one(tmp_path: Path) -> None:
    two(tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"a\.tif:0") as error:
        read_image(tmp_path / "a.tif")
    assert "2 images" in one_line(error)
    np.testing.assert_array_equal(read_image(f"{tmp_path}/a.tif:1"), IMAGE[1:])
    with pytest.raises(UserError, match="expected 0 to 1"):
        read_image(f"{tmp_path}/a.tif:2")


def test_numbers_are_keys_of_files_with_series() -> None:
    assert split_key("a.tif:1") == (Path("a.tif"), "1")
    assert split_key("C:/a.czi:12") == (Path("C:/a.czi"), "12")
    assert split_key("a.tif:raw") == (Path("a.tif:raw"), None)
    assert with_key(Path("a.tif"), "1") == Path("a.tif:1")
    assert with_key(Path("a.tif"), "raw") == with_key(Path("a.tif"), None) == Path("a.tif")
    assert with_key(Path("a.png"), "1") == Path("a.png")
    assert with_key(Path("a.h5"), "raw") == Path("a.h5:raw")
