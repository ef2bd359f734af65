"""The verb: files, folders, globs and data sets in, label images out, and one line for each image that is bad."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import signal
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
from segraft import data
from segraft.cli import main
from segraft.commands.predict import predict
from segraft.data.samples import LazySamples
from segraft.errors import UserError
from segraft.images.reading import read_labels
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.commands import files
from shared.models import a_config
from shared.samples import field


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose network takes what is brighter than the mean for objects."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(1)
    network = create_network("resunet", dim=4, filters=(2, 4, 8))
    with torch.no_grad():
        output = network(torch.rand(4, 1, 64, 64))
        network.embedding.bias -= output.embedding.mean((0, 2, 3))
        network.foreground[-1].bias -= output.foreground.mean()
    config = a_config({"dim": 4, "filters": (2, 4, 8)})
    checkpoint.save(folder / "model.safetensors", network, config)
    return folder


def test_a_folder_of_images(run: Path, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "labels"
    assert predict(run, [cells / "images"], out=out) == 0
    assert files(out) == [f"{number:02d}.tif" for number in range(10)]
    model = segraft.load(run, "cpu")
    stored = tifffile.imread(out / "03.tif")
    assert stored.dtype == np.uint32
    assert stored.max() > 0
    assert np.array_equal(stored, model.predict(tifffile.imread(cells / "images" / "03.tif")))


def test_files_globs_and_a_single_name(run: Path, cells: Path, tmp_path: Path, capsys: Any) -> None:
    images = cells / "images"
    assert predict(run, [images / "01.tif", str(images / "0[1-3].tif")], out=tmp_path / "a", device="cpu") == 0
    assert files(tmp_path / "a") == ["01.tif", "02.tif", "03.tif"]
    assert predict(run, str(images / "04.tif"), out=str(tmp_path / "b")) == 0
    assert files(tmp_path / "b") == ["04.tif"]
    assert f"3 of 3 images segmented into {tmp_path / 'a'}" in capsys.readouterr().out


@pytest.mark.parametrize("format", ["tif", "png", "h5", "zarr"])
def test_formats(run: Path, cells: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    assert predict(run, [cells / "images" / "00.tif"], out=out, format=format) == 0
    expected = segraft.load(run).predict(tifffile.imread(cells / "images" / "00.tif"))
    assert np.array_equal(read_labels(out / f"00.{format}"), expected)
    if format == "h5":
        with h5py.File(out / "00.h5") as file:
            assert file["labels"].dtype == np.uint32
    if format == "zarr":
        assert "labels" in zarr.open_group(out / "00.zarr", mode="r")


def test_everything_on_request(run: Path, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    predict(run, [cells / "images" / "00.tif"], out=out, overlay=True, table=True, outlines=True, minimum_size=5)
    assert files(out) == ["00.csv", "00.geojson", "00.tif", "overlays/00.png"]
    labels = tifffile.imread(out / "00.tif")
    assert len((out / "00.csv").read_text().splitlines()) == 1 + labels.max()
    assert len(json.loads((out / "00.geojson").read_text())["features"]) == labels.max()
    assert np.asarray(Image.open(out / "overlays" / "00.png")).shape == (*labels.shape, 3)
    assert np.bincount(labels.ravel())[1:].min() >= 5


def test_the_speed_is_told(run: Path, cells: Path, tmp_path: Path, capsys: Any) -> None:
    predict(run, [cells / "images"], out=tmp_path / "out")
    assert re.search(r"^10 images in \d+\.\d s, [\d.]+ images/s$", capsys.readouterr().out, re.MULTILINE)
    predict(run, [cells / "images" / "00.tif"], out=tmp_path / "one")
    assert "\n1 image in " in capsys.readouterr().out
    predict(run, [cells / "images"], out=tmp_path / "out", skip_existing=True)
    assert "images/s" not in capsys.readouterr().out


def test_tables_are_in_micrometres_where_the_pixel_size_is_known(run: Path, cells: Path, tmp_path: Path) -> None:
    """The file's size is taken unless the user gives another; with a scale of 1 that resizes nothing."""
    known, plain = tmp_path / "known.tif", cells / "images" / "00.tif"
    tifffile.imwrite(known, tifffile.imread(plain), imagej=True, resolution=(2, 2), metadata={"unit": "um"})

    def table(image: Path, *options: str) -> list[dict[str, str]]:
        tokens = ["predict", str(run), str(image), "--out", str(tmp_path / "out"), "--table", *options]
        assert main(tokens) == 0
        with (tmp_path / "out" / f"{image.stem}.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    pixels = table(plain)
    assert "area_um2" not in pixels[0]
    for rows, square in ((table(known), 0.25), (table(known, "--scale", "1", "--voxel-size", "2000"), 4.0)):
        for row, plain_row in zip(rows, pixels, strict=True):
            assert row["area"] == plain_row["area"]
            assert float(row["area_um2"]) == pytest.approx(int(row["area"]) * square)
            assert float(row["perimeter_um"]) == pytest.approx(float(plain_row["perimeter_px"]) * square**0.5)


def test_existing_results_are_skipped_when_complete(run: Path, cells: Path, tmp_path: Path, capsys: Any) -> None:
    images, out = cells / "images", tmp_path / "out"
    predict(run, [images / "00.tif", images / "01.tif"], out=out)
    (out / "00.tif").write_bytes(b"mine")
    predict(run, [images], out=out, skip_existing=True)
    assert (out / "00.tif").read_bytes() == b"mine"
    assert "8 of 10 images segmented" in (text := capsys.readouterr().out)
    assert "2 already there" in text
    predict(run, [images / "00.tif"], out=out, skip_existing=True, table=True)  # the table is not there
    assert (out / "00.tif").read_bytes() != b"mine"
    (out / "00.tif").write_bytes(b"mine")
    predict(run, [images / "00.tif"], out=out)
    assert (out / "00.tif").read_bytes() != b"mine"


def bad_images(folder: Path) -> list[Path]:
    """Images cut short, of NaN, of three channels, and a text: all with the suffix of an image."""
    folder.mkdir()
    tifffile.imwrite(folder / "short.tif", np.zeros((64, 64), np.uint16))
    (folder / "short.tif").write_bytes((folder / "short.tif").read_bytes()[:3000])
    tifffile.imwrite(folder / "nan.tif", np.full((20, 20), np.nan, np.float32))
    Image.fromarray(np.eye(60, 20, dtype=np.uint8).reshape(20, 20, 3)).save(folder / "colour.png")
    (folder / "text.png").write_text("no image")
    return sorted(folder.iterdir())


def test_bad_images_are_reported_and_the_others_done(run: Path, cells: Path, tmp_path: Path, capsys: Any) -> None:
    bad, out = bad_images(tmp_path / "bad"), tmp_path / "out"
    assert predict(run, [tmp_path / "bad", cells / "images"], out=out) == 1
    assert len(files(out)) == 10
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(bad)
    for path in bad:
        assert sum(str(path) in line for line in lines) == 1
    assert "NaN" in next(line for line in lines if "nan.tif" in line)
    assert "channels" in next(line for line in lines if "colour.png" in line)


def test_all_bad_is_another_exit_code(run: Path, tmp_path: Path, capsys: Any) -> None:
    bad_images(tmp_path / "bad")
    assert predict(run, [tmp_path / "bad"], out=tmp_path / "out") == 2
    assert not files(tmp_path / "out")
    assert "4 failed" in capsys.readouterr().out


def test_a_full_disk_leaves_no_half_file(
    run: Path, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"II*")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    assert predict(run, [cells / "images"], out=tmp_path / "out") == 2
    assert not files(tmp_path / "out")
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "tiff"}, "tif"),
        ({"tile": [0]}, "tile"),
        ({"foreground_threshold": 1.5}, "probability"),
        ({"foreground": "truth"}, "--dataset"),
        ({"minimum_size": -3}, "at least 0"),
        ({"scale": [0.0]}, "positive"),
        ({"scale": [1.0, 2.0, 3.0]}, "one per axis"),
        ({"voxel_size": [1.0, 1.0]}, "give scale"),
        ({"device": "gpu"}, "cpu"),
        ({"root": "data"}, "--dataset"),
        ({"dataset": "bbbc039", "root": "data"}, "got files and the data set"),
        ({"images": []}, "neither files nor a data set"),
        ({"images": ["nowhere"]}, "does not exist"),
        ({"model": "nowhere"}, "does not exist"),
        ({"images": [], "dataset": "bbbc93"}, "bbbc039"),
    ],
)
def test_mistakes_are_answered_once(
    run: Path, cells: Path, tmp_path: Path, options: dict[str, Any], words: str, capsys: Any
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        predict(**{"model": run, "images": [cells / "images"], "out": tmp_path / "out", **options})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert capsys.readouterr() == ("", "")


def test_an_output_folder_that_cannot_be(run: Path, cells: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UserError, match="cannot be written"):
        predict(run, [cells / "images"], out=tmp_path / "out")


def test_images_are_never_replaced_by_labels(run: Path, cells: Path, tmp_path: Path) -> None:
    before = (cells / "images" / "00.tif").read_bytes()
    with pytest.raises(UserError, match="would replace the input"):
        predict(run, [cells / "images"], out=cells / "images")
    assert (cells / "images" / "00.tif").read_bytes() == before


def test_two_images_of_one_name(run: Path, cells: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two folders"):
        predict(run, [cells / "images" / "00.tif", cells / "masks" / "00.tif"], out=tmp_path / "out")


def test_channels_are_chosen(run: Path, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "rgb.png")
    assert predict(run, [tmp_path / "rgb.png"], out=tmp_path / "out", channels=[1], table=True) == 0
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "rgb.tif"), segraft.load(run).predict(image[..., 1]))
    header = (tmp_path / "out" / "rgb.csv").read_text().splitlines()[0]
    assert header.endswith(",mean_intensity,max_intensity,integrated_intensity")


def test_an_array_in_a_container(run: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        file["a/raw"] = np.random.default_rng(0).random((30, 40))
    assert predict(run, [f"{tmp_path / 'stack.h5'}:a/raw"], out=tmp_path / "out") == 0
    assert files(tmp_path / "out") == ["stack.tif"]


def broken_set(root: Path | None, split: str) -> LazySamples:
    """A data set of three samples, of which the second has no labels."""
    return LazySamples((0, 1, 2), field)


def test_a_data_set_with_its_own_foreground(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(data.DATASETS, "broken", broken_set)
    assert predict(run, dataset="broken", out=tmp_path / "learnt", split="val") == 0
    assert files(tmp_path / "learnt") == ["field0.tif", "field1.tif", "field2.tif"]
    assert predict(run, dataset="broken", out=tmp_path / "true", foreground="truth") == 1
    assert files(tmp_path / "true") == ["field0.tif", "field2.tif"]
    assert "field1: got no labels" in capsys.readouterr().err
    truth = field(2).labels
    assert truth is not None
    assert np.array_equal(tifffile.imread(tmp_path / "true" / "field2.tif") > 0, truth > 0)
    before = (tmp_path / "true" / "field0.tif").stat().st_mtime_ns
    predict(run, dataset="broken", out=tmp_path / "true", skip_existing=True)
    assert (tmp_path / "true" / "field0.tif").stat().st_mtime_ns == before
    assert len(files(tmp_path / "true")) == 3


def test_real_data(run: Path, real_data: Path, tmp_path: Path) -> None:
    image = sorted((real_data / "bbbc039" / "images").glob("*.tif"))[0]
    assert predict(run, [image], out=tmp_path, tile=[256], overlay=True) == 0
    assert tifffile.imread(tmp_path / f"{image.stem}.tif").shape == (520, 696)


def test_filling_is_chosen_on_the_command_line(run: Path, cells: Path, tmp_path: Path) -> None:
    image = cells / "images" / "00.tif"
    _, probability = segraft.load(run, "cpu").affinities(tifffile.imread(image))
    part = ("--foreground-threshold", str(np.median(probability)), "--minimum-size", "0", "--device", "cpu")
    for number, (words, empty) in enumerate(((["--fill"], False), (["--no-fill"], True), ([], True))):
        out = tmp_path / str(number)
        assert main(["predict", str(run), str(image), "--out", str(out), *part, *words]) == 0
        assert (tifffile.imread(out / "00.tif") == 0).any() == empty


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("format", ["tif", "h5"])
def test_a_signal_leaves_whole_files_and_the_rest_can_follow(
    run: Path, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, number: int, format: str
) -> None:
    out, count = tmp_path / "labels", 0
    tokens = ["predict", str(run), str(cells / "images"), "--out", str(out), "--format", format, "--table"]
    replace = os.replace

    def interrupted(*paths: Any) -> None:
        nonlocal count
        count += 1
        if count == 6:  # the labels of the third image
            os.kill(os.getpid(), number)
        replace(*paths)

    monkeypatch.setattr(os, "replace", interrupted)
    assert main(tokens) == 128 + number
    assert capsys.readouterr().err == f"segraft: stopped by {signal.Signals(number).name}\n"
    monkeypatch.undo()
    left = files(out)
    assert {name for name in left if not name.endswith(".csv")} == {f"00.{format}", f"01.{format}"}
    assert not [name for name in left if name.startswith(".")]
    assert main([*tokens, "--skip-existing"]) == 0
    assert "8 of 10 images segmented" in capsys.readouterr().out
    assert len(files(out)) == 20
