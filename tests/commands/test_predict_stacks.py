"""The verb on files that hold more than one image: time series, z-stacks, series; and on files of other kinds."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import torch
import zarr
from PIL import Image

import segraft
from conftest import discs
from segraft.images.reading import read_image, read_labels
from segraft.images.voxel_size import read_voxel_size
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.commands import Capture, call, files, refused
from shared.models import a_config


def save_model(folder: Path, channels: int = 1) -> Path:
    """A 2-D model whose network takes what is brighter than the mean for objects."""
    torch.manual_seed(1)
    network = create_network("resunet", in_channels=channels, dim=4, filters=(2, 4, 8))
    with torch.no_grad():
        output = network(torch.rand(4, channels, 64, 64))
        network.embedding.bias -= output.embedding.mean((0, 2, 3))
        network.foreground[-1].bias -= output.foreground.mean()
    config = a_config({"dim": 4, "filters": (2, 4, 8), "in_channels": channels})
    checkpoint.save(folder / "model.safetensors", network, config)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def of_two_channels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("run2"), channels=2)


SERIES = np.stack([discs(number, 48, 4)[0] << (number % 3) for number in range(6)])
"""Six planes, of brightnesses that only a normalisation of each plane brings together."""


def each_on_its_own(run: Path, planes: np.ndarray) -> np.ndarray:
    """Labels of planes ``(..., y, x)``, each segmented as an image."""
    model = segraft.load(run, "cpu")
    flat = planes.reshape(-1, *planes.shape[-2:])
    return np.stack([model.predict(plane) for plane in flat]).reshape(planes.shape)


def imagej(path: Path, array: np.ndarray, axes: str) -> None:
    metadata = {"axes": axes, "unit": "um", "spacing": 2.0}
    tifffile.imwrite(path, array, imagej=True, resolution=(2.0, 4.0), metadata=metadata)


def ome(path: Path, array: np.ndarray, axes: str) -> None:
    sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2.0}
    tifffile.imwrite(path, array, ome=True, photometric="minisblack", metadata={"axes": axes, **sizes})


@pytest.mark.parametrize("write", [imagej, ome])
@pytest.mark.parametrize("axes", ["TYX", "ZYX", "TZYX"])
def test_a_stack_stays_one_in_imagej(run: Path, tmp_path: Path, write: Callable, axes: str, capfd: Capture) -> None:
    planes = SERIES.reshape(2, 3, 48, 48) if len(axes) == 4 else SERIES
    write(tmp_path / "s.tif", planes, axes)
    assert call(capfd, "predict", run, tmp_path / "s.tif", "--out", tmp_path / "out") == (0, [])
    expected = each_on_its_own(run, planes)
    assert expected.max() > 0
    with tifffile.TiffFile(tmp_path / "out" / "s.tif") as tif:
        assert tif.is_imagej
        assert tif.series[0].axes == axes
        stored = tif.series[0].asarray()
    assert stored.dtype == np.uint32
    assert np.array_equal(stored, expected)
    assert read_voxel_size(tmp_path / "out" / "s.tif") == read_voxel_size(tmp_path / "s.tif") is not None


def test_a_stack_of_colours_by_their_axis(of_two_channels: Path, tmp_path: Path, capfd: Capture) -> None:
    both = np.stack([SERIES, SERIES[::-1]], 1)
    imagej(tmp_path / "s.tif", both, "TCYX")
    ome(tmp_path / "o.tif", both.swapaxes(0, 1), "CTYX")
    assert call(capfd, "predict", of_two_channels, tmp_path, "--out", tmp_path / "out")[0] == 0
    model = segraft.load(of_two_channels, "cpu")
    expected = np.stack([model.predict(image) for image in both])
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "s.tif"), expected)
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "o.tif"), expected)


def test_an_axis_of_planes_counts_channels_as_in_training(of_two_channels: Path, tmp_path: Path) -> None:
    imagej(tmp_path / "s.tif", SERIES[:2], "ZYX")
    assert segraft.predict(of_two_channels, [tmp_path / "s.tif"], out=tmp_path / "out") == 0
    assert tifffile.imread(tmp_path / "out" / "s.tif").shape == SERIES[0].shape


def test_one_channel_of_a_stack(run: Path, tmp_path: Path) -> None:
    imagej(tmp_path / "s.tif", np.stack([SERIES, SERIES[::-1]], 1), "TCYX")
    assert segraft.predict(run, [tmp_path / "s.tif"], out=tmp_path / "out", channels=[1]) == 0
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "s.tif"), each_on_its_own(run, SERIES[::-1]))


def test_one_table_with_the_plane_of_each_object(run: Path, tmp_path: Path) -> None:
    imagej(tmp_path / "s.tif", SERIES, "TYX")
    imagej(tmp_path / "a.tif", SERIES[2], "YX")
    assert segraft.predict(run, [tmp_path], out=tmp_path / "out", table=True) == 0
    text = (tmp_path / "out" / "s.csv").read_text()
    single = (tmp_path / "out" / "a.csv").read_text().splitlines()
    assert text.splitlines()[0] == f"plane,{single[0]}"
    rows = list(csv.DictReader(text.splitlines()))
    labels = tifffile.imread(tmp_path / "out" / "s.tif")
    assert [int(row["plane"]) for row in rows] == [
        number for number, plane in enumerate(labels) for _ in range(plane.max())
    ]
    assert [line.removeprefix("2,") for line in text.splitlines() if line.startswith("2,")] == single[1:]


def without_axes(path: Path, array: np.ndarray) -> None:
    """Write planes whose axes nothing names, by suffix."""
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["raw"] = array
    elif path.suffix == ".zarr":
        zarr.create_array(path, data=array)
    else:
        tifffile.imwrite(path, array, photometric="minisblack")


@pytest.mark.parametrize("name", ["s.npy", "s.h5", "s.zarr", "s.tif"])
@pytest.mark.parametrize("count", [3, 6])
def test_the_first_axis_counts_planes_where_the_user_says_so(
    run: Path, tmp_path: Path, name: str, count: int, capfd: Capture
) -> None:
    without_axes(tmp_path / name, SERIES[:count])
    refused(capfd, "--planes", "predict", run, tmp_path / name, "--out", tmp_path / "out")
    assert call(capfd, "predict", run, tmp_path / name, "--planes", "--out", tmp_path / "out") == (0, [])
    assert np.array_equal(read_labels(tmp_path / "out" / "s.tif"), each_on_its_own(run, SERIES[:count]))


@pytest.mark.parametrize("format", ["h5", "zarr"])
def test_stacks_in_containers(run: Path, tmp_path: Path, format: str) -> None:
    planes = SERIES.reshape(3, 2, 48, 48)
    imagej(tmp_path / "s.tif", planes, "TZYX")
    assert segraft.predict(run, [tmp_path / "s.tif"], out=tmp_path / "out", format=format) == 0
    assert np.array_equal(read_image(f"{tmp_path}/out/s.{format}:labels"), each_on_its_own(run, planes))


def ome_zarr(path: Path, arrays: list[np.ndarray], axes: str) -> None:
    """OME-Zarr of one image, or of several positions in the layout of bioformats2raw."""
    root = zarr.open_group(path, mode="w")
    scales = {"axes": [{"name": letter} for letter in axes.lower()], "datasets": [{"path": "0"}]}
    if len(arrays) > 1:
        root.attrs["ome"] = {"bioformats2raw.layout": 3}
    for number, array in enumerate(arrays):
        group = root.create_group(str(number)) if len(arrays) > 1 else root
        group.attrs["ome"] = {"multiscales": [scales]}
        group.create_array("0", data=array)


def test_the_axes_of_ome_zarr(run: Path, tmp_path: Path) -> None:
    ome_zarr(tmp_path / "s.ome.zarr", [SERIES[:, None, None]], "TCZYX")
    assert segraft.predict(run, [tmp_path / "s.ome.zarr"], out=tmp_path / "out", format="zarr") == 0
    assert np.array_equal(read_image(tmp_path / "out" / "s.zarr"), each_on_its_own(run, SERIES)[:, None])


def several(path: Path) -> None:
    """A tif of three images: a time series, a z-stack, and one of another size."""
    with tifffile.TiffWriter(path, ome=True) as tif:
        tif.write(
            SERIES[:2], photometric="minisblack", metadata={"axes": "TYX", "PhysicalSizeX": 1, "PhysicalSizeY": 1}
        )
        sizes = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 3}
        tif.write(SERIES[2:], photometric="minisblack", metadata={"axes": "ZYX", **sizes})
        tif.write(SERIES[0, :32], photometric="minisblack", metadata={"axes": "YX"})


def test_each_series_of_a_file(run: Path, tmp_path: Path, capfd: Capture) -> None:
    several(tmp_path / "s.tif")
    assert call(capfd, "predict", run, tmp_path / "s.tif", "--out", tmp_path / "all", "--table") == (0, [])
    assert files(tmp_path / "all") == [f"s_s{number}.{end}" for number in range(3) for end in ("csv", "tif")]
    assert np.array_equal(tifffile.imread(tmp_path / "all" / "s_s1.tif"), each_on_its_own(run, SERIES[2:]))
    assert tifffile.imread(tmp_path / "all" / "s_s2.tif").shape == (32, 48)
    assert read_voxel_size(tmp_path / "all" / "s_s1.tif") == (3000, 500, 500)
    for number, tokens in enumerate(([tmp_path / "s.tif", "--series", 1], [f"{tmp_path}/s.tif:1"])):
        assert call(capfd, "predict", run, *tokens, "--out", tmp_path / str(number)) == (0, [])
        assert files(tmp_path / str(number)) == ["s_s1.tif"]
    call(capfd, "predict", run, tmp_path / "s.tif", "--out", tmp_path / "all", "--skip-existing")


def test_each_position_of_an_ome_zarr(run: Path, tmp_path: Path, capfd: Capture) -> None:
    ome_zarr(tmp_path / "s.ome.zarr", [SERIES[:2], SERIES[2:]], "TYX")
    assert call(capfd, "predict", run, tmp_path / "s.ome.zarr", "--out", tmp_path / "out") == (0, [])
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "s_s1.tif"), each_on_its_own(run, SERIES[2:]))
    assert files(tmp_path / "out") == ["s_s0.tif", "s_s1.tif"]


def pages(path: Path, *arrays: np.ndarray) -> None:
    """A tif whose pages were written one after the other, each by itself."""
    with tifffile.TiffWriter(path) as tif:
        for array in arrays:
            tif.write(array, photometric="minisblack", contiguous=False)


def test_pages_are_images_or_planes(run: Path, tmp_path: Path) -> None:
    pages(tmp_path / "s.tif", *SERIES[:3])
    assert segraft.predict(run, [tmp_path / "s.tif"], out=tmp_path / "each") == 0
    assert files(tmp_path / "each") == ["s_s0.tif", "s_s1.tif", "s_s2.tif"]
    assert segraft.predict(run, [tmp_path / "s.tif"], out=tmp_path / "stack", planes=True) == 0
    assert np.array_equal(tifffile.imread(tmp_path / "stack" / "s.tif"), each_on_its_own(run, SERIES[:3]))


def test_planes_that_differ_in_size(run: Path, tmp_path: Path, capfd: Capture) -> None:
    pages(tmp_path / "s.tif", SERIES[0], SERIES[1, :32])
    tokens = ["predict", run, tmp_path / "s.tif", "--out", tmp_path / "out"]
    refused(capfd, "one size", *tokens, "--planes")
    assert not files(tmp_path / "out")
    assert call(capfd, *tokens) == (0, [])
    assert files(tmp_path / "out") == ["s_s0.tif", "s_s1.tif"]


def test_a_plane_that_is_bad_is_named_and_nothing_written(run: Path, tmp_path: Path, capfd: Capture) -> None:
    broken = SERIES.astype(np.float32)
    broken[3, 5, 5] = np.nan
    imagej(tmp_path / "s.tif", broken, "TYX")
    refused(capfd, "plane 3", "predict", run, tmp_path / "s.tif", "--out", tmp_path / "out", "--table")
    assert not files(tmp_path / "out")


@pytest.mark.parametrize("wish", [["--overlay"], ["--outlines"], ["--format", "png"]])
def test_what_shows_no_planes_is_refused_for_stacks(run: Path, tmp_path: Path, wish: list[str], capfd: Capture) -> None:
    imagej(tmp_path / "s.tif", SERIES, "TYX")
    tifffile.imwrite(tmp_path / "t.tif", SERIES[0])
    code, lines = call(capfd, "predict", run, tmp_path, "--out", tmp_path / "out", *wish)
    assert code == 1
    assert len(lines) == 1
    assert "s.tif: " in lines[0]
    assert "6 planes" in lines[0]
    assert "out/t." in " ".join(f"out/{name}" for name in files(tmp_path / "out"))


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (["--series", -1], "from 0"),
        (["--series", 1], "expected 0 to 0"),
        (["--planes", "--series", 4], "expected 0 to 0"),
    ],
)
def test_series_that_are_not_there(run: Path, tmp_path: Path, wish: list[Any], words: str, capfd: Capture) -> None:
    imagej(tmp_path / "s.tif", SERIES, "TYX")
    refused(capfd, words, "predict", run, tmp_path / "s.tif", "--out", tmp_path / "out", *wish)
    several(tmp_path / "s.tif")
    refused(capfd, "expected 0 to 2", "predict", run, tmp_path / "s.tif", "--out", tmp_path / "out", "--series", 3)


def test_planes_are_for_images_in_files(run: Path, tmp_path: Path, capfd: Capture) -> None:
    described = {"name": "mala-tiny", "dim": 4, "filters": (3, 4, 5)}
    (tmp_path / "volumes").mkdir()
    network = create_network("mala-tiny", 1, 4, (3, 4, 5))
    checkpoint.save(tmp_path / "volumes" / "model.safetensors", network, a_config(described, ndim=3))
    imagej(tmp_path / "s.tif", SERIES, "ZYX")
    tokens = [tmp_path / "s.tif", "--out", tmp_path / "out", "--planes"]
    refused(capfd, "3-D model", "predict", tmp_path / "volumes", *tokens)
    refused(capfd, "expected files", "predict", run, "--dataset", "synthetic", "--out", tmp_path / "out", "--planes")


def test_single_images_beside_stacks(run: Path, tmp_path: Path) -> None:
    Image.fromarray((SERIES[0] >> 4).astype(np.uint8)).save(tmp_path / "a.bmp")
    Image.fromarray((SERIES[0] >> 4).astype(np.uint8)).save(tmp_path / "b.webp", lossless=True)
    np.save(tmp_path / "c.npy", SERIES[0])
    assert segraft.predict(run, [tmp_path], out=tmp_path / "out", planes=True, channels=[0]) == 0
    assert [tifffile.imread(path).shape for path in sorted((tmp_path / "out").iterdir())] == [(48, 48)] * 3


def test_files_of_other_kinds_are_named(run: Path, tmp_path: Path, capfd: Capture) -> None:
    tifffile.imwrite(tmp_path / "t.tif", SERIES[0])
    for name in ("notes.txt", ".hidden", "a.czi"):
        (tmp_path / name).write_text("a letter")
    (tmp_path / "folder").mkdir()
    segraft.predict(run, [tmp_path], out=tmp_path / "out")
    assert "left out 2 files of other kinds: a.czi, notes.txt" in capfd.readouterr().out
    (tmp_path / "a.czi").unlink()
    segraft.predict(run, [f"{tmp_path}/*"], out=tmp_path / "out")
    assert "left out 1 file of another kind: notes.txt" in capfd.readouterr().out
    segraft.predict(run, [tmp_path / "t.tif"], out=tmp_path / "out")
    assert "left out" not in capfd.readouterr().out
