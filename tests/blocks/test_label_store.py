"""Label images written block by block, as other readers see them."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorstore
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.blocks.label_store import (
    blocks_of,
    create,
    describe,
    level_count,
    read_box,
    tidy,
    write_block,
    write_coarser,
)
from segraft.blocks.pyramid import coarsened
from segraft.errors import UserError
from segraft.images.reading import read_labels
from segraft.images.voxel_size import read_voxel_size
from segraft.model.tiling import Region
from shared.messages import one_line

BEYOND_FLOATS = 2**53 + 1


def some_labels(*space: int, dtype: Any = np.uint32) -> np.ndarray:
    """Objects of 9 pixels a side with large ids, of which some are left out."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 4, [-(-extent // 9) for extent in space]).astype(dtype)
    ids = np.arange(coarse.size, dtype=dtype).reshape(coarse.shape) + dtype(
        BEYOND_FLOATS if dtype == np.uint64 else 2**31
    )
    labels = np.where(coarse > 0, ids, dtype(0))
    for axis in range(labels.ndim):
        labels = labels.repeat(9, axis)
    return labels[tuple(slice(extent) for extent in space)]


def write(path: Path, labels: np.ndarray, block: tuple[int, ...], **options: Any) -> None:
    """Write a whole label image and its levels, block by block."""
    create(path, labels.shape, labels.dtype, block, **options)
    for box in blocks_of(path):
        write_block(path, box, labels[box])
    for level in range(1, level_count(path)):
        for box in blocks_of(path, level):
            write_coarser(path, level, box)


def pyramid(labels: np.ndarray, steps: list[tuple[int, ...]]) -> list[np.ndarray]:
    """The levels, in memory."""
    found = [labels]
    for each in steps:
        found.append(coarsened(found[-1], each))
    return found


def by_tensorstore(path: Path, level: int) -> np.ndarray:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path / str(level))}}
    return tensorstore.open(spec).result().read().result()


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
@pytest.mark.parametrize("block", [(256, 300), (613, 257), (2000, 2000)])
def test_two_readers_find_every_level_of_an_image(tmp_path: Path, dtype: Any, block: tuple[int, int]) -> None:
    labels = some_labels(1301, 700, dtype=dtype)
    write(tmp_path / "a.zarr", labels, block)
    expected = pyramid(labels, [(2, 2)] * 2)
    assert level_count(tmp_path / "a.zarr") == 3
    for level, array in enumerate(expected):
        for found in (zarr.open(tmp_path / "a.zarr")[str(level)], by_tensorstore(tmp_path / "a.zarr", level)):
            assert found.dtype == dtype
            np.testing.assert_array_equal(found[:], array)
            assert np.isin(found, labels).all()
    np.testing.assert_array_equal(read_labels(tmp_path / "a.zarr"), labels)
    assert read_voxel_size(tmp_path / "a.zarr") is None


def test_two_readers_find_every_level_of_a_volume(tmp_path: Path) -> None:
    labels = some_labels(11, 600, 70, dtype=np.uint64)
    write(tmp_path / "a.zarr", labels, (8, 128, 64), voxel_size=(40.0, 4.0, 4.0))
    write(tmp_path / "b.zarr", labels, (5, 601, 33), voxel_size=(4.0, 4.0, 4.0))
    for name, steps in (("a.zarr", (1, 2, 2)), ("b.zarr", (2, 2, 2))):
        for level, array in enumerate(pyramid(labels, [steps])):
            np.testing.assert_array_equal(zarr.open(tmp_path / name)[str(level)][:], array)
            np.testing.assert_array_equal(by_tensorstore(tmp_path / name, level), array)
    assert read_voxel_size(tmp_path / "a.zarr") == pytest.approx((40, 4, 4))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 23), st.integers(500, 530), st.integers(3, 30), st.integers(100, 600), st.booleans())
def test_blocks_of_any_shape_give_the_same_labels(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, rows: int, columns: int, backwards: bool
) -> None:
    path = tmp_path_factory.mktemp("store") / "a.zarr"
    labels = some_labels(height, width)
    create(path, labels.shape, labels.dtype, (rows, columns))
    for box in list(blocks_of(path))[:: -1 if backwards else 1]:
        write_block(path, box, labels[box])
    for level in range(1, level_count(path)):
        for box in list(blocks_of(path, level))[:: -1 if backwards else 1]:
            write_coarser(path, level, box)
        coarse = coarsened(labels, (2 if height > 1 else 1, 2))
        whole = tuple(slice(0, extent) for extent in coarse.shape)
        np.testing.assert_array_equal(read_box(path, whole, level), coarse)
    np.testing.assert_array_equal(read_labels(path), labels)


def test_metadata_are_what_the_specification_asks(tmp_path: Path) -> None:
    """OME-Zarr 0.5, sections "multiscales" and "image-label" metadata."""
    about = {"model": "nuclei", "blocks": [8, 700, 700]}
    create(
        tmp_path / "a.zarr",
        (20, 2000, 1500),
        np.uint32,
        (8, 700, 700),
        (50.0, 8.0, 8.0),
        name="a",
        source="../../a.zarr",
    )
    describe(tmp_path / "a.zarr", {"model": "another"})
    describe(tmp_path / "a.zarr", about)
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    assert group.attrs["segraft"] == about
    ome = group.attrs["ome"]
    assert ome["version"] == ome["image-label"]["version"] == "0.5"
    assert ome["image-label"]["source"] == {"image": "../../a.zarr"}
    (scales,) = ome["multiscales"]
    assert (scales["name"], scales["type"]) == ("a", "mode")
    assert scales["axes"] == [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    arrays = [group[each["path"]] for each in scales["datasets"]]
    assert [array.path for array in arrays] == ["0", "1", "2"]
    assert [array.shape for array in arrays] == [(20, 2000, 1500), (20, 1000, 750), (20, 500, 375)]
    for factor, array, each in zip((1, 2, 4), arrays, scales["datasets"], strict=True):
        assert array.metadata.dimension_names == ("z", "y", "x")
        assert array.shards == (8, 700, 700)
        scale, translation = each["coordinateTransformations"]
        assert (scale["type"], translation["type"]) == ("scale", "translation")
        assert scale["scale"] == pytest.approx([0.05, 0.008 * factor, 0.008 * factor])
        assert translation["translation"] == pytest.approx([0, *[0.008 * (factor - 1) / 2] * 2])


def test_levels_lie_where_means_of_pixels_lie(tmp_path: Path) -> None:
    """The middle of a disc is at the same place in all levels."""
    y, x = np.mgrid[:1200, :1200]
    labels = ((y - 431) ** 2 + (x - 700) ** 2 < 150**2).astype(np.uint32)
    write(tmp_path / "a.zarr", labels, (500, 500), voxel_size=(250.0, 250.0))
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    for each in group.attrs["ome"]["multiscales"][0]["datasets"]:
        scale, translation = each["coordinateTransformations"]
        centre = np.argwhere(group[each["path"]][:]).mean(0) * scale["scale"] + translation["translation"]
        assert centre == pytest.approx([431 * 0.25, 700 * 0.25], abs=0.05)


def test_background_takes_no_space(tmp_path: Path) -> None:
    labels = np.zeros((2048, 2048), np.uint32)
    labels[10:20, 10:20] = 7
    write(tmp_path / "a.zarr", labels, (512, 512))
    files = sorted(str(file.relative_to(tmp_path / "a.zarr")) for file in tmp_path.rglob("c/*/*"))
    assert files == ["0/c/0/0", "1/c/0/0", "2/c/0/0"]
    write_block(tmp_path / "a.zarr", (slice(0, 512), slice(0, 512)), labels[:512, :512] * 0)
    assert not (tmp_path / "a.zarr" / "0" / "c" / "0" / "0").exists()


def test_what_was_interrupted_is_written_again(tmp_path: Path) -> None:
    labels = some_labels(300, 200)
    write(tmp_path / "a.zarr", labels, (128, 128))
    shard = tmp_path / "a.zarr" / "0" / "c" / "2" / "1"
    before = shard.read_bytes()
    shard.write_bytes(b"half")
    with pytest.raises(UserError, match="cannot be read") as error:
        read_box(tmp_path / "a.zarr", (slice(256, 300), slice(128, 200)))
    assert "a.zarr" in one_line(error)
    (tmp_path / "a.zarr" / "0" / "c" / "2" / "1.abc.partial").write_bytes(b"half")
    write_block(tmp_path / "a.zarr", (slice(256, 300), slice(128, 200)), labels[256:, 128:])
    tidy(tmp_path / "a.zarr")
    assert not list(tmp_path.rglob("*.partial"))
    assert shard.read_bytes() == before
    np.testing.assert_array_equal(read_labels(tmp_path / "a.zarr"), labels)


def _write_one(path: Path, box: Region) -> None:
    write_block(path, box, some_labels(512, 512)[box])


def test_processes_write_at_the_same_time(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", (512, 512), np.uint32, (64, 96))
    boxes = list(blocks_of(tmp_path / "a.zarr"))
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_write_one, [tmp_path / "a.zarr"] * len(boxes), boxes))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.zarr"), some_labels(512, 512))


def test_what_is_no_block_is_refused(tmp_path: Path) -> None:
    create(tmp_path / "a.zarr", (100, 100), np.uint32, (64, 64))
    for box in ((slice(0, 64), slice(0, 32)), (slice(32, 96), slice(0, 64)), (slice(64, 128), slice(0, 64))):
        with pytest.raises(ValueError, match="whole block"):
            write_block(tmp_path / "a.zarr", box, np.zeros((64, 64), np.uint32))
    with pytest.raises(ValueError, match="uint32 or uint64"):
        create(tmp_path / "b.zarr", (100, 100), np.int32, (64, 64))


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "mine").write_text("kept")
    with pytest.raises(UserError, match="exists") as error:
        create(tmp_path / "a.zarr", (100, 100), np.uint32, (64, 64))
    assert "a.zarr" in one_line(error)
    assert [file.name for file in tmp_path.rglob("*")] == ["a.zarr", "mine"]


def test_a_full_disk_is_one_line(small_disk: Path) -> None:
    create(small_disk / "a.zarr", (512, 512), np.uint32, (256, 512))
    noise = np.random.default_rng(0).integers(0, 2**32, (256, 512), np.uint32)
    with pytest.raises(UserError, match="No space left") as error:
        write_block(small_disk / "a.zarr", (slice(0, 256), slice(0, 512)), noise)
    assert "a.zarr" in one_line(error)
    assert not list(small_disk.rglob("*.partial"))
    assert not read_labels(small_disk / "a.zarr").any()
