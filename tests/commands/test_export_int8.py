"""``segraft export --to openvino`` and ``int8``: files that all verbs take, and what int8 costs is told."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import segraft
from segraft.cli import main
from segraft.commands.export import export
from segraft.commands.export_images import shown
from segraft.commands.tune import tune
from segraft.data import DATASETS
from segraft.data.choice import DataChoice
from segraft.deploy import int8, onnx
from segraft.images.reading import read_labels
from segraft.model import onnx_file
from shared.commands import Capture, call, cut, refused
from shared.exports import int8_bytes, openvino_bytes, write_openvino, write_pair
from shared.samples import row_of_cells

IMAGE = row_of_cells(2).image


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that finds objects, its exports, and an image."""
    folder = write_openvino(write_pair(tmp_path_factory.mktemp("exported"), "small"), "small")
    tifffile.imwrite(folder / "image.tif", IMAGE[0])
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model need not be exported again; cells are a data set."""
    monkeypatch.setattr(onnx, "exported", lambda *_: openvino_bytes())
    monkeypatch.setattr(int8, "exported", lambda *_: int8_bytes())
    monkeypatch.setitem(DATASETS, "cells", lambda root, split: [row_of_cells(2)] * 2)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["openvino", "int8"])
def test_the_file_lies_beside_the_model(copy: Path, capsys: Capture, kind: str) -> None:
    path = copy / f"small.{kind}.onnx"
    path.unlink()
    told = ["export", str(copy / "small.safetensors"), "--to", kind, "--images", str(copy / "image.tif")]
    assert main(told) == 0
    assert capsys.readouterr().out.startswith(f"{path}: 0.")
    assert segraft.load(path).config == segraft.load(copy / "small.safetensors").config


@pytest.mark.usefixtures("quick")
def test_what_int8_costs_is_told_with_truth_and_without(copy: Path, capsys: Capture) -> None:
    export(copy / "small.safetensors", to="int8", dataset="cells", force=True)
    out = capsys.readouterr().out.splitlines()
    assert "of the largest value at most, on 2 windows of cells (val)" in out[0]
    assert out[1].startswith("F1 0.")
    assert "(mean of 2 images with truth); its labels and those of the original agree by AJI " in out[1]
    export(copy / "small.safetensors", to="int8", images=[copy / "image.tif"])
    assert "no truth is at hand (--dataset), so scores are unknown; its labels" in capsys.readouterr().out


@pytest.mark.usefixtures("quick")
def test_a_loss_is_refused_with_its_numbers(copy: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is called the export here finds nothing."""
    cells = copy / "cells"
    for folder, array in (("images", IMAGE[0]), ("masks", segraft.load(copy / "small.onnx").predict(IMAGE))):
        (cells / "val" / folder).mkdir(parents=True)
        tifffile.imwrite(cells / "val" / folder / "a.tif", array)
    empty = onnx_file.read(copy / "small.onnx")[0].segmentation.changed(minimum_size=10_000)
    onnx_file.change(copy / "small.int8.onnx", segmentation=empty)
    data = (copy / "small.int8.onnx").read_bytes()
    monkeypatch.setattr(int8, "exported", lambda *_: data)
    told = ("export", copy / "small.safetensors", "--to", "int8", "--out", copy / "new.onnx")
    told = (*told, "--dataset", "folder", "--root", cells)
    refused(capfd, "F1 of the export is 0.0000 on 1 images, that of the original 1.0000, expected at most 0.01", *told)
    assert not (copy / "new.onnx").exists()
    assert main([str(each) for each in (*told, "--force")]) == 0
    assert (copy / "new.onnx").read_bytes() == data


def test_all_verbs_take_them(copy: Path, capsys: Capture) -> None:
    for kind in ("safetensors", "openvino.onnx", "int8.onnx"):
        told = [str(copy / f"small.{kind}"), str(copy / "image.tif"), "--table", "--out", str(copy / f"labels-{kind}")]
        assert main(["predict", *told]) == 0
    one, same, near = (
        read_labels(next((copy / f"labels-{kind}").glob("*.tif")))
        for kind in ("safetensors", "openvino.onnx", "int8.onnx")
    )
    assert one.max() > 1
    assert np.array_equal(same, one)
    assert near.max() > 0
    told = ["benchmark", str(copy / "small.int8.onnx"), "--against", str(copy / "small.safetensors"), "--threads", "1"]
    capsys.readouterr()
    assert main([*told, "--size", "64", "64", "--repeats", "1"]) == 0
    assert "PyTorch, float32" in (out := capsys.readouterr().out)
    assert "OpenVINO, int8" in out


def test_tuning_changes_the_segmentation_alone(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "cells", lambda root, split: [row_of_cells(2)])
    before = onnx_file.read(copy / "small.int8.onnx")
    found = tune(copy / "small.int8.onnx", "cells", minimum_size=(0, 9))
    config, known = onnx_file.read(copy / "small.int8.onnx")
    assert found["segmentation"] == config.segmentation != before[0].segmentation
    assert known == before[1]
    segraft.load(copy / "small.int8.onnx").predict(IMAGE)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--to", "int8"], "int8: got no images, expected some like those to be segmented"),
        (["--images", "image.tif", "--dataset", "folder"], "images: got files and the data set 'folder'"),
        (["--to", "openvino", "--force"], "force: got it for openvino, expected it for int8 alone"),
        (["--to", "int8", "--root", "."], "images: got root . and options {} without a data set"),
        (["--to", "int8", "--dataset", "folder", "--root", "none"], "none is no folder"),
        (["--to", "int8", "--images", "image.tif", "--out", "a.xml"], "ends in .onnx; give small.int8.onnx"),
    ],
)
def test_mistakes(copy: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch, told: list[str], words: str) -> None:
    monkeypatch.chdir(copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    refused(capfd, words, "export", "small.safetensors", *told)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_channels_that_differ_and_files_cut_short(copy: Path, capfd: Capture) -> None:
    tifffile.imwrite(copy / "colour.tif", np.zeros((2, 32, 32), np.uint8))
    model = copy / "small.int8.onnx"
    code, lines = call(capfd, "predict", model, copy / "colour.tif", "--channels", 0, 1, "--out", copy / "labels")
    assert code == 2
    assert "got 2 channels, expected 1, as in training" in lines[0]
    cut(model)
    refused(capfd, "is no ONNX file, or was cut short", "predict", model, copy / "image.tif", "--out", copy / "labels")


def test_without_openvino(copy: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    for verb in (("info",), ("predict", copy / "image.tif", "--out", copy / "labels")):
        told = (verb[0], copy / "small.int8.onnx", *verb[1:])
        refused(capfd, "run: pip install 'segraft[openvino]'", *told)
    assert not (copy / "labels").exists()


@pytest.mark.usefixtures("quick")
def test_stopped_it_leaves_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}

    def stopped(*_: Any) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0.0

    monkeypatch.setattr(int8, "agreement", stopped)
    told = ["export", str(copy / "small.safetensors"), "--to", "int8", "--out", str(copy / "other.onnx")]
    assert main([*told, "--images", str(copy / "image.tif")]) == 128 + signal.SIGTERM
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_many_images_are_drawn_from_first_to_last(tmp_path: Path) -> None:
    for number in range(10):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.full((4, 4), number, np.uint8))
    images = shown(tmp_path, [tmp_path], DataChoice(None))
    some = images.some(4)
    assert [int(some[index].image.max()) for index in range(len(some))] == [0, 3, 6, 9]
    assert images.some(10) is images.samples
