"""``segraft export --to bioimageio``: a package that the libraries of bioimage.io accept and run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from segraft.cli import main
from segraft.commands.export import export
from segraft.commands.train import train
from segraft.data import DATASETS
from segraft.deploy import bioimageio
from segraft.model import checkpoint, model_file
from segraft.networks import create_network
from shared.commands import Capture, refused
from shared.exports import config, package_graph
from shared.models import a_config, lively
from shared.networks import SMALL_FILTERS
from shared.runs import SETS, SMALL
from shared.samples import row_of_cells

TESTED = "bioimageio.core==0.11.*", "pydantic<2.14", "onnxruntime>=1.20"
"""What is installed to test a package."""
OFFLINE = """
import json, socket, sys

def refuse(*_, **__):
    raise OSError("no network in this test")

socket.socket.connect = socket.create_connection = refuse
from bioimageio.core import test_model

found = test_model(sys.argv[1])
print(json.dumps({"status": found.status, "errors": [error.msg for each in found.details for error in each.errors]}))
"""
"""The test of bioimageio.core, without a network."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and an image, which is also where we are."""
    checkpoint.save(tmp_path / "small.safetensors", lively(), config())
    tifffile.imwrite(tmp_path / "image.tif", row_of_cells(2).image[0])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small model need not be exported again."""
    monkeypatch.setattr(bioimageio, "traced", lambda *_: package_graph())


def description(path: Path) -> Any:
    with zipfile.ZipFile(path) as package:
        return yaml.safe_load(package.read("rdf.yaml"))


@pytest.mark.usefixtures("quick")
def test_it_says_what_it_compared(folder: Path, capsys: Capture) -> None:
    told = ["--to", "bioimageio", "--images", "image.tif", "--authors", "A. Body", "B. Body", "--licence", "MIT"]
    assert main(["export", "small.safetensors", *told]) == 0
    out = capsys.readouterr().out
    assert out.startswith("small.zip: ")
    assert "of the largest value at most, on 1 windows of the given images" in out
    values = description(folder / "small.zip")
    assert values["authors"] == [{"name": "A. Body"}, {"name": "B. Body"}]
    assert values["license"] == "MIT"


@pytest.mark.usefixtures("quick")
def test_a_run_shows_its_validation_images(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, without_reports: None
) -> None:
    monkeypatch.setitem(DATASETS, "grey", lambda root, split: SETS["grey"][split])
    run = folder / "run"
    train("grey", out=run, **SMALL | {"steps": 1})
    network, told = checkpoint.restore(folder / "small.safetensors")
    checkpoint.save(run / "model.safetensors", network, told)  # which the graph at hand belongs to
    assert export(run, to="bioimageio") == run / "model.zip"
    assert "on 2 windows of validation images" in capsys.readouterr().out
    assert "license" not in description(run / "model.zip")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--to", "bioimageio"], "bioimageio: got no image, expected one at least"),
        (["--to", "bioimageio", "--images", "nan.tif"], "nan.tif: "),
        (["--to", "bioimageio", "--out", "a.onnx"], "out: got a.onnx, expected a file that ends in .zip"),
        (["--to", "bioimageio", "--licence", "CC BY"], "licence: got 'CC BY', expected an identifier"),
        (["--licence", "MIT"], "authors and licence: got them for onnx, which states none, expected bioimageio"),
        (["--authors", "A. Body"], "authors and licence: got them for onnx"),
        (["--to", "bioimage"], "unknown what to export to 'bioimage'"),
    ],
)
@pytest.mark.usefixtures("quick")
def test_mistakes(folder: Path, capfd: Capture, told: list[str], words: str) -> None:
    tifffile.imwrite("nan.tif", np.full((32, 32), np.nan, np.float32))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    refused(capfd, words, "export", "small.safetensors", *told)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.usefixtures("quick")
def test_stopped_it_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def stopped(*_: Any) -> bytes:
        os.kill(os.getpid(), signal.SIGTERM)
        return b""

    monkeypatch.setattr(bioimageio, "_yaml", stopped)
    told = ["--to", "bioimageio", "--images", "image.tif"]
    assert main(["export", "small.safetensors", *told]) == 128 + signal.SIGTERM
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with bioimageio.core: that which ``SEGRAFT_BIOIMAGEIO`` names, or a new one."""
    if "SEGRAFT_BIOIMAGEIO" in os.environ:
        return Path(os.environ["SEGRAFT_BIOIMAGEIO"])
    python = tmp_path_factory.mktemp("core") / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
    made = subprocess.run([python, "-m", "pip", "install", "--quiet", *TESTED], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"bioimageio.core cannot be installed here: {made.stderr.strip().splitlines()[-1]}")
    return python


def verdict(core: Path, package: Path, cache: Path) -> Any:
    """What bioimageio.core finds about a package, without a network."""
    run = subprocess.run(
        [core, "-c", OFFLINE, package],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(cache), "BIOIMAGEIO_CACHE_PATH": str(cache)},
    )
    assert run.returncode == 0, run.stderr
    return yaml.safe_load(run.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_bioimageio_core_accepts_it(folder: Path, core: Path) -> None:
    """A model with its own percentiles, one without, and one for volumes; and a spoilt package fails."""
    checkpoint.save("fixed.safetensors", lively(), config())
    model_file.change("fixed.safetensors", percentiles=(1.0, 99.8), voxel_size=(500.0, 500.0))
    filters = SMALL_FILTERS["mala-tiny"]
    deep = a_config({"name": "mala-tiny", "dim": 4, "filters": filters}, 3, segmentation={"segmenter": "waterz"})
    checkpoint.save("deep.safetensors", create_network("mala-tiny", 1, 4, filters), deep)
    tifffile.imwrite("volume.tif", row_of_cells(3).image[0])
    for name, image in (("small", "image.tif"), ("fixed", "image.tif"), ("deep", "volume.tif")):
        path = export(f"{name}.safetensors", to="bioimageio", images=[image], licence="MIT", authors=["A. Body"])
        assert verdict(core, path, folder / "cache") == {"status": "passed", "errors": []}
    with zipfile.ZipFile(folder / "fixed.zip") as package, zipfile.ZipFile(folder / "spoilt.zip", "w") as spoilt:
        for name in package.namelist():
            data = package.read(name)
            spoilt.writestr(name, data[:-8] + bytes(8) if name == "affinities.npy" else data)
    assert verdict(core, folder / "spoilt.zip", folder / "cache")["status"] != "passed"
