"""An image that changes is noticed; one that was only written again is not taken for another."""

from __future__ import annotations

import os
import shutil

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from segraft.blocks import changes
from segraft.blocks.changes import last_written
from segraft.blocks.running import Distributed
from segraft.errors import UserError
from segraft.images.lazy import lazy_source
from shared.stores import files

PIXELS = np.random.default_rng(0).integers(0, 255, (40, 50), np.uint8)


def write(path, pixels):
    """Write an image by the suffix of its name."""
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, pixels)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["raw"] = pixels
    else:
        zarr.create_array(path, data=pixels, chunks=(16, 16), overwrite=True)


def touch(path):
    """Let a file be one of a second later."""
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


@pytest.mark.parametrize("name", ["a.npy", "a.tif", "a.h5", "a.zarr"])
def test_writing_shows(tmp_path, name):
    write(tmp_path / name, PIXELS)
    before = last_written(lazy_source(tmp_path / name, 2))
    assert before == last_written(lazy_source(tmp_path / name, 2)) > 0
    write(tmp_path / name, PIXELS[::-1])
    touch(tmp_path / name)  # clocks of disks are coarse
    assert last_written(lazy_source(tmp_path / name, 2)) != before


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("most", [changes.MOST, 0])
def test_a_chunk_that_is_replaced_shows(tmp_path, monkeypatch, most, version):
    monkeypatch.setattr(changes, "MOST", most)
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, zarr_format=version)
    for name in ("raw", "other"):
        group.create_array(name, data=PIXELS, chunks=(16, 16))
    arrays = [lazy_source(f"{path}:raw", 2), lazy_source(zarr.open_array(path / "raw", mode="r"), 2)]
    before = [last_written(each) for each in arrays]
    zarr.open_array(path / "other", mode="r+")[:] = 0  # such as labels beside the image
    shutil.copytree(path / "other", path / "new")
    assert [last_written(each) for each in arrays] == before
    chunk = path / "raw" / ("1.1" if version == 2 else "c/1/1")
    os.replace(shutil.copy(chunk, tmp_path / "new"), chunk)
    touch(chunk.parent)  # clocks of disks are coarse
    assert all(last_written(each) != old for each, old in zip(arrays, before, strict=True))


def test_of_addresses_and_arrays_it_is_not_known():
    assert last_written(lazy_source(PIXELS, 2)) == 0
    assert last_written(lazy_source(zarr.create_array({}, data=PIXELS), 2)) == 0


@pytest.mark.parametrize("stopped", ["segmenting", "level 1", "outlines"])
def test_a_run_goes_on_with_the_same_image_only(predict, image, tmp_path, monkeypatch, capsys, stopped):
    monkeypatch.setattr("segraft.blocks.pyramid.LARGEST_SIDE", 50)
    original = Distributed.__call__

    def stopping(run, name, words, *given):
        if words == stopped:
            raise UserError("stopped")
        return original(run, name, words, *given)

    def run(out):
        return predict(image, out=tmp_path / f"{out}.zarr", outlines=tmp_path / f"{out}.geojson")

    expected = run("undisturbed")
    monkeypatch.setattr(Distributed, "__call__", stopping)
    with pytest.raises(UserError, match="stopped"):
        run("out")
    monkeypatch.undo()
    monkeypatch.setattr("segraft.blocks.pyramid.LARGEST_SIDE", 50)
    shutil.copytree(image, tmp_path / "kept.zarr")
    zarr.open_array(image, mode="r+")[70:, 70:] = 9
    with pytest.raises(
        UserError, match=r"^cells, y 64:80, x 64:96: the image changed .* put the old one back to go on"
    ):
        run("out")
    shutil.rmtree(image)
    shutil.copytree(tmp_path / "kept.zarr", image, copy_function=shutil.copyfile)  # a copy, as written now
    assert run("out") == expected
    capsys.readouterr()
    assert run("out") == expected
    assert capsys.readouterr().err == f"{tmp_path / 'out.zarr'} is there, and complete\n"
    written = {name: files(tmp_path / f"{name}.zarr") for name in ("undisturbed", "out")}
    assert written["out"].pop("zarr.json") != written["undisturbed"].pop("zarr.json")  # when the image was written
    assert written["out"] == written["undisturbed"]
    assert (tmp_path / "out.geojson").read_bytes() == (tmp_path / "undisturbed.geojson").read_bytes()


@pytest.mark.parametrize("name", ["cells.zarr", "cells.npy"])
def test_a_finished_output_is_of_its_image_only(predict, image, tmp_path, capsys, name):
    pixels, path, out = zarr.open_array(image, mode="r")[:], tmp_path / name, tmp_path / "out.zarr"
    write(path, pixels)
    count, before = predict(path, out=out), files(out)
    other = pixels.copy()
    other[70:, 70:] = 9
    write(path, other)
    touch(path)
    with pytest.raises(UserError, match=r"out.zarr is there, of cells as it was before it changed, .* remove it$"):
        predict(path, out=out)
    write(path, pixels)
    capsys.readouterr()
    assert predict(path, out=out) == count
    assert capsys.readouterr().err.splitlines() == [
        "cells was written since; looking whether it changed",
        f"{out} is there, and complete",
    ]
    assert files(out) == before
