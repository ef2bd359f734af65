"""``segraft export``: one file that all verbs take, and that says what the model says."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import segraft
from segraft.cli import main
from segraft.commands.benchmark import benchmark
from segraft.commands.export import export
from segraft.commands.train import train
from segraft.commands.tune import tune
from segraft.data import DATASETS
from segraft.deploy import onnx
from segraft.errors import UserError
from segraft.images.reading import read_labels
from segraft.model import onnx_file
from shared.commands import Capture, call, refused
from shared.exports import graph, onnx_bytes, write_pair
from shared.runs import SETS, SMALL
from shared.samples import row_of_cells

IMAGE = row_of_cells(2).image


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that finds objects, its export, and an image."""
    folder = write_pair(tmp_path_factory.mktemp("exported"), "small")
    tifffile.imwrite(folder / "image.tif", IMAGE[0])
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model need not be exported again."""
    monkeypatch.setattr(onnx, "exported", lambda *_: onnx_bytes())


@pytest.mark.usefixtures("quick")
def test_it_says_what_it_compared(copy: Path, capsys: Capture) -> None:
    assert main(["export", str(copy / "small.safetensors"), "--out", str(copy / "a.onnx"), "--images", str(copy)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{copy / 'a.onnx'}: 0.10 MB; differs from the original by ")
    assert "of the largest value at most, on 1 windows of the given images" in out
    assert (copy / "a.onnx").read_bytes() == (copy / "small.onnx").read_bytes()


def test_a_run_is_compared_on_its_validation_images(
    copy: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, without_reports: None
) -> None:
    monkeypatch.setitem(DATASETS, "grey", lambda root, split: SETS["grey"][split])
    monkeypatch.setattr(onnx, "graph", lambda _: graph())
    run = copy / "run"
    train("grey", out=run, **SMALL | {"steps": 1})
    shutil.copy(copy / "small.safetensors", run / "model.safetensors")  # which the graph at hand belongs to
    capsys.readouterr()
    assert export(run) == run / "model.onnx"
    assert "on 2 windows of validation images" in capsys.readouterr().out
    assert segraft.load(run / "model.onnx").config == segraft.load(run).config
    data = (run / "model.onnx").read_bytes()
    monkeypatch.setattr(onnx, "exported", lambda *_: data)
    monkeypatch.delitem(DATASETS, "grey")
    export(run)
    assert "on 1 windows of noise, for no images are at hand (--images)" in capsys.readouterr().out


def test_all_verbs_take_it(copy: Path, capsys: Capture) -> None:
    for model in ("small.safetensors", "small.onnx"):
        told = [str(copy / model), str(copy / "image.tif"), "--out", str(copy / f"labels-{model}")]
        assert main(["predict", *told]) == 0
    one, other = (read_labels(next((copy / f"labels-small.{kind}").glob("*.tif"))) for kind in ("safetensors", "onnx"))
    assert one.max() > 1
    assert np.array_equal(one, other)
    assert main(["info", str(copy / "small.onnx")]) == 0
    out = capsys.readouterr().out
    assert f"{copy / 'small.onnx'} (0.10 MB)" in out
    assert "minimum size 5" in out
    costs = [benchmark(copy / f"small.{kind}", size=(64, 64), repeats=1, threads=1) for kind in ("safetensors", "onnx")]
    (original,), (again,) = (list(each.values()) for each in costs)
    assert (again["parameters"], again["macs"]) == (original["parameters"], original["macs"])
    assert again["network"] > 0


def test_tuning_changes_the_segmentation_alone(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "cells", lambda root, split: [row_of_cells(2)])
    before = onnx_file.read(copy / "small.onnx")
    found = [tune(copy / f"small.{kind}", "cells", minimum_size=(0, 9)) for kind in ("safetensors", "onnx")]
    config, known = onnx_file.read(copy / "small.onnx")
    assert found[1]["segmentation"] == found[0]["segmentation"] == config.segmentation
    assert config.segmentation.minimum_size != before[0].segmentation.minimum_size
    assert known == before[1]
    segraft.load(copy / "small.onnx").predict(IMAGE)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["missing"], "does not exist; expected a run folder, a model file or"),
        (["small.safetensors", "--to", "tflite"], "unknown what to export to 'tflite'; known: onnx, openvino, int8"),
        (["small.safetensors", "--out", "small.pt"], "out: got small.pt, expected a file that ends in .onnx"),
        (["small.safetensors", "--out", "folder.onnx"], "out: got folder.onnx, expected a file"),
        (["small.safetensors", "--images", "nothing"], "nothing"),
        (["small.safetensors", "--images", "text.tif"], "text.tif"),
        (["small.onnx"], "is an exported network, which predicts and cannot be trained or taught from"),
        (["cut.safetensors"], "cannot be read as a model"),
    ],
)
def test_mistakes(copy: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch, told: list[str], words: str) -> None:
    (copy / "folder.onnx").mkdir()
    (copy / "text.tif").write_text("no image")
    (copy / "cut.safetensors").write_bytes((copy / "small.safetensors").read_bytes()[:100])
    monkeypatch.chdir(copy)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    refused(capfd, words, "export", *told)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


@pytest.mark.parametrize("option", ["--teacher", "--init"])
def test_it_is_no_teacher(copy: Path, capfd: Capture, option: str) -> None:
    verb = "distill" if option == "--teacher" else "train"
    told = ("synthetic", "--options.count", 1, option, copy / "small.onnx", "--out", copy / "run", "--device", "cpu")
    refused(capfd, "is an exported network, which predicts and cannot be trained or taught from", verb, *told)
    assert not (copy / "run").exists()


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (b"", "is no ONNX file, or was cut short"),
        (b"no model", "is no ONNX file, or was cut short"),
        (None, "no ONNX file, or was cut"),
    ],
)
def test_damaged_files_are_answered(copy: Path, capfd: Capture, spoilt: bytes | None, words: str) -> None:
    file = copy / "small.onnx"
    file.write_bytes(file.read_bytes()[:5000] if spoilt is None else spoilt)
    refused(capfd, words, "predict", file, copy / "image.tif", "--out", copy / "labels")
    assert not (copy / "labels").exists()


def test_the_case_of_the_ending_is_free(copy: Path) -> None:
    upper = (copy / "small.onnx").rename(copy / "Small.ONNX")
    assert np.array_equal(segraft.load(upper).predict(IMAGE), segraft.load(copy / "small.safetensors").predict(IMAGE))


@pytest.mark.usefixtures("quick")
def test_an_image_that_does_not_fit_is_named(copy: Path, capfd: Capture) -> None:
    tifffile.imwrite(copy / "empty.tif", np.full((32, 32), np.nan, np.float32))
    refused(capfd, "empty.tif: ", "export", copy / "small.safetensors", "--images", copy / "empty.tif")


def test_channels_that_differ(copy: Path, capfd: Capture) -> None:
    tifffile.imwrite(copy / "colour.tif", np.zeros((2, 32, 32), np.uint8))
    told = ("predict", copy / "small.onnx", copy / "colour.tif", "--channels", 0, 1, "--out", copy / "labels")
    code, lines = call(capfd, *told)
    assert code == 2
    assert "colour.tif: an image of shape (2, 32, 32): got 2 channels, expected 1, as in training" in lines[0]


@pytest.mark.usefixtures("quick")
def test_stopped_it_leaves_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}

    def stopped(*_: Any) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        return 0.0

    monkeypatch.setattr(onnx, "difference", stopped)
    assert main(["export", str(copy / "small.safetensors"), "--out", str(copy / "other.onnx")]) == 128 + signal.SIGTERM
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


@pytest.mark.usefixtures("quick")
def test_a_difference_is_an_error(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    with pytest.raises(UserError, match="differs from the original"):
        export(copy / "small.safetensors", out=copy / "other.onnx", images=[copy / "image.tif"])
    assert not (copy / "other.onnx").exists()
