"""Boxes of images on disk, at URLs and in arrays, without the rest."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import dask.array
import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.images.channels import check_count, grey, model_layout
from segraft.images.lazy import Source, lazy_source
from segraft.images.writing import write_labels
from shared.messages import one_line

VOLUME = np.random.default_rng(0).integers(0, 60_000, (20, 70, 90), dtype=np.uint16)
BOX = (slice(3, 9), slice(10, 65), slice(31, 90))


def read(source: Source, box: tuple[slice, ...]) -> np.ndarray:
    with source.open() as image:
        return image.read(box)


def tif(path: Path, **options: Any) -> Path:
    tifffile.imwrite(path / "a.tif", VOLUME, photometric="minisblack", **options)
    return path / "a.tif"


def second_series(path: Path) -> str:
    with tifffile.TiffWriter(path / "two.tif") as file:
        file.write(VOLUME[0, :9], photometric="minisblack")
        file.write(VOLUME, photometric="minisblack")
    return f"{path / 'two.tif'}:1"


def npy(path: Path) -> Path:
    np.save(path / "a.npy", VOLUME)
    return path / "a.npy"


def h5(path: Path) -> str:
    with h5py.File(path / "a.h5", "w") as file:
        file.create_dataset("volumes/raw", data=VOLUME, chunks=(8, 16, 16), compression="gzip")
        file["other"] = VOLUME
    return f"{path / 'a.h5'}:volumes/raw"


def in_zarr(version: int) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        array = zarr.create_array(path / "a.zarr", data=VOLUME, chunks=(8, 16, 16), zarr_format=version)
        assert array.metadata.zarr_format == version
        return path / "a.zarr"

    return write


def in_memory(path: Path) -> str:
    zarr.open_group(f"memory:/{path}/a.zarr", mode="w").create_array("deep/raw", data=VOLUME, chunks=(8, 16, 16))
    return f"memory:/{path}/a.zarr:deep/raw"


KINDS: dict[str, Callable[[Path], Any]] = {
    "mapped tif": tif,
    "big-endian tif": lambda path: tif(path, byteorder=">"),
    "compressed tif": lambda path: tif(path, compression="zlib"),
    "striped tif": lambda path: tif(path, rowsperstrip=8, compression="zlib"),
    "tiled tif": lambda path: tif(path, tile=(32, 32)),
    "series of a tif": second_series,
    "npy": npy,
    "h5": h5,
    "zarr 2": in_zarr(2),
    "zarr 3": in_zarr(3),
    "file URL": lambda path: f"file://{npy(path)}",
    "URL": in_memory,
    "numpy": lambda path: VOLUME,
    "zarr array": lambda path: zarr.open(in_zarr(3)(path), mode="r"),
    "dask array": lambda path: dask.array.from_array(VOLUME, chunks=16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_are_those_of_the_whole_image(tmp_path: Path, kind: str) -> None:
    source = pickle.loads(pickle.dumps(lazy_source(KINDS[kind](tmp_path), 3)))
    assert (source.space, source.channels, source.dtype) == (VOLUME.shape, 1, np.dtype("uint16"))
    part = read(source, BOX)
    assert part.dtype == source.dtype
    np.testing.assert_array_equal(part, VOLUME[None][:, *BOX])
    with source.open() as image:
        assert image.absent(BOX) == 0


def test_only_the_touched_part_of_a_tif_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = tifffile.TiffPage.decode.func  # type: ignore[attr-defined]

    def noted(page: Any) -> Any:
        inner = decode(page)

        def counting(data: Any, index: int, **options: Any) -> Any:
            decoded.append(index)
            return inner(data, index, **options)

        return counting

    monkeypatch.setattr(tifffile.TiffPage, "decode", property(noted))
    source = lazy_source(tif(tmp_path, tile=(32, 32), compression="zlib"), 3)
    part = read(source, (slice(4, 6), slice(33, 64), slice(0, 40)))
    np.testing.assert_array_equal(part[0], VOLUME[4:6, 33:64, :40])
    assert len(decoded) == 4


def test_uncompressed_tifs_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = []
    memmap = np.memmap
    monkeypatch.setattr(np, "memmap", lambda *args: mapped.append(args) or memmap(*args))  # type: ignore[func-returns-value]
    with lazy_source(tif(tmp_path), 3).open() as image:
        for _ in range(3):
            np.testing.assert_array_equal(image.read(BOX)[0], VOLUME[BOX])
    assert len(mapped) == 1


def test_of_an_ome_zarr_the_finest_level_is_read_with_its_size_and_named_channels(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    stored = np.random.default_rng(0).integers(0, 9, (1, 9, 6, 40, 50), dtype=np.uint8)
    group.create_array("0", data=stored, chunks=(1, 1, 3, 16, 16))
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    level = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 2, 0.5, 0.5]}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    source = lazy_source(tmp_path / "a.zarr", 3, channels=2, chosen=(7, 2))
    assert (source.space, source.channels, source.voxel_size) == ((6, 40, 50), 2, (2000.0, 500.0, 500.0))
    box = (slice(1, 4), slice(0, 40), slice(20, 50))
    np.testing.assert_array_equal(read(source, box), stored[0, [7, 2]][:, *box])
    with pytest.raises(UserError, match=r"got 9 channels, expected 2, as in training; choose which") as error:
        lazy_source(tmp_path / "a.zarr", 3, channels=2)
    one_line(error)


def test_labels_written_as_ome_zarr_are_read(tmp_path: Path) -> None:
    write_labels(tmp_path / "l.zarr", VOLUME, "Z", (50.0, 8.0, 8.0))
    source = lazy_source(tmp_path / "l.zarr", 3)
    assert source.voxel_size == (50.0, 8.0, 8.0)
    np.testing.assert_array_equal(read(source, BOX)[0], VOLUME[BOX])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of the folder, on a server of this machine."""
    handler = partial(Silent, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_ome_zarr_is_read_from_a_server(tmp_path: Path, served: str) -> None:
    write_labels(tmp_path / "l.zarr", VOLUME, "Z", (50.0, 8.0, 8.0))
    source = pickle.loads(pickle.dumps(lazy_source(f"{served}/l.zarr", 3)))
    assert (source.name, source.voxel_size, source.space) == ("l", (50.0, 8.0, 8.0), VOLUME.shape)
    np.testing.assert_array_equal(read(source, BOX)[0], VOLUME[BOX])
    array = zarr.create_array(tmp_path / "s.zarr", shape=(40, 40), chunks=(20, 20), dtype="u1", fill_value=7)
    array[:20] = 9
    with lazy_source(f"{served}/s.zarr", 2).open() as image:
        box = (slice(0, 40), slice(10, 40))
        assert image.absent(box) == 2
        np.testing.assert_array_equal(image.read(box)[0], np.repeat([9, 7], 20)[:, None].repeat(30, 1))


shapes = st.lists(st.sampled_from([1, 2, 3, 4, 5, 9]), min_size=2, max_size=5).map(tuple)


@given(shapes, st.integers(2, 3), st.integers(1, 3), st.booleans(), st.data())
def test_channels_follow_the_rules_of_images_in_memory(
    shape: tuple[int, ...], ndim: int, count: int, same: bool, data: st.DataObject
) -> None:
    array = np.ones(shape, np.uint8) if same else np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    chosen = data.draw(st.none() | st.lists(st.integers(0, 4), min_size=count, max_size=count))
    refused = ""
    try:
        expected = model_layout(shape, ndim, count, chosen)(array)
        expected = grey(expected) if count == 1 and chosen is None else expected
        check_count(expected, shape, count)
    except UserError as error:
        refused = str(error).partition("for example")[0]
    if refused:
        with pytest.raises(UserError, match=re.escape(refused)):
            lazy_source(array, ndim, count, chosen)
        return
    source = lazy_source(array, ndim, count, chosen)
    assert (source.channels, source.space) == (len(expected), expected.shape[1:])
    box = tuple(slice(size // 3, max(size // 3 + 1, size - 1)) for size in source.space)
    np.testing.assert_array_equal(read(source, box), expected[:, *box])


def test_transparency_and_colours_that_are_alike_count_as_grey(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 255, (300, 400), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "g.tif", np.stack([plane] * 4, -1), photometric="rgb", extrasamples=["unassalpha"])
    source = lazy_source(tmp_path / "g.tif", 2)
    assert source.channels == 1
    np.testing.assert_array_equal(read(source, BOX[1:])[0], plane[BOX[1:]])
    stored = np.stack([plane, np.full_like(plane, 255)])
    assert lazy_source(stored, 2).grey == "opaque"
    stored[1, 120, 5] = 0
    with pytest.raises(UserError, match=r"an image, y 100:200, x 0:50: got 2 channels that differ") as error:
        read(lazy_source(stored, 2), (slice(100, 200), slice(0, 50)))
    one_line(error)


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_nobody_wrote_are_the_fill_value_and_are_counted(tmp_path: Path, version: int) -> None:
    shape, chunks = (10, 40, 40), (5, 20, 20)
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=shape, chunks=chunks, dtype="u1", fill_value=7, zarr_format=version
    )
    array[:5, :20, :20] = 9
    with lazy_source(tmp_path / "a.zarr", 3).open() as image:
        assert image.absent((slice(0, 10), slice(0, 40), slice(0, 40))) == 7
        assert image.absent((slice(1, 3), slice(1, 20), slice(0, 21))) == 1
        assert (image.read((slice(5, 10), slice(0, 40), slice(0, 40))) == 7).all()


def test_shards_are_counted_as_a_whole(tmp_path: Path) -> None:
    url = "memory://shards.zarr"
    array = zarr.create_array(url, shape=(64, 64), shards=(32, 32), chunks=(8, 8), dtype="u1", overwrite=True)
    array[:8, :8] = 1
    with lazy_source(url, 2).open() as image:
        assert image.absent((slice(0, 64), slice(0, 64))) == 3


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def damaged_zarr(path: Path, **options: Any) -> Path:
    zarr.create_array(path / "a.zarr", data=VOLUME, chunks=(8, 16, 16), **options)
    chunk = path / "a.zarr" / "c" / "1" / "1" / "1"
    cut_short(chunk if chunk.exists() else path / "a.zarr" / "c" / "0" / "0" / "0")
    return path / "a.zarr"


def damaged_tif(path: Path) -> Path:
    file = tif(path, tile=(32, 32), compression="zlib")
    data = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as opened:
        for offset in opened.pages[5].dataoffsets:
            data[offset : offset + 40] = bytes(40)
    file.write_bytes(data)
    return file


@pytest.mark.parametrize(
    "write",
    [
        damaged_zarr,
        lambda path: damaged_zarr(path, compressors=None),
        lambda path: damaged_zarr(path, shards=(24, 80, 96)),
        damaged_tif,
    ],
    ids=["compressed", "plain", "sharded", "tif"],
)
def test_a_damaged_chunk_is_one_line_with_its_box(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    with (
        lazy_source(write(tmp_path), 3).open() as image,
        pytest.raises(UserError, match=r"a, z 3:9, y 10:65, x 31:90 cannot be read .* copy it again") as error,
    ):
        image.read(BOX)
    one_line(error)


def test_images_that_cannot_be_read_in_parts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    cut = npy(tmp_path)
    cut_short(cut)
    empty = np.zeros((0, 4), np.uint8)
    cases = {
        "does not exist": tmp_path / "none.zarr",
        "no part can be read alone": tmp_path / "a.png",
        "cannot be read": cut,
        "at least one pixel": empty,
        "got complex64, expected integers or floats": np.zeros((4, 4), np.complex64),
        "got list, expected a path": [[1]],
        r"memory://none\.zarr cannot be read": "memory://none.zarr",
        "pip install s3fs": "s3://bucket/a.zarr",
        "pip install gcsfs": "gs://bucket/a.zarr",
        "Protocol not known: foo": "foo://bucket/a.zarr",
        r"Cannot connect to host localhost:1": "http://localhost:1/a.zarr",
    }
    for message, image in cases.items():
        with pytest.raises(UserError, match=message) as error:
            lazy_source(image, 2)
        one_line(error)


def test_an_image_that_changed_its_shape_is_refused(tmp_path: Path) -> None:
    source = lazy_source(npy(tmp_path), 3)
    np.save(tmp_path / "a.npy", VOLUME[1:])
    with pytest.raises(UserError, match="the image changed: start again"):
        read(source, BOX)
