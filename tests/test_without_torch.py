"""The base install has no PyTorch: what needs none works without, and what needs it says so in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.images.reading import read_labels
from shared.exports import write_openvino, write_pair
from shared.runtimes import write_runtime

LACKING = """
import sys

LIBRARIES = "torch", "jaxtyping", "lightning", "tensorboard", "onnx", "onnxscript", "imagecodecs"

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LIBRARIES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""
RUN = "import json; from segraft.cli import main; print(json.dumps([main(each) for each in json.loads(sys.argv[1])]))"


def without_torch(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process in which no module of PyTorch can be imported."""
    source = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": source, "COLUMNS": "150"}
    command = [sys.executable, "-W", "error", "-c", LACKING + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


def codes_of(commands: list[list[str]], folder: Path) -> tuple[list[int], str, str]:
    """Exit codes of commands, one after another in one process, and all that they said."""
    done = without_torch(RUN, json.dumps(commands), folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout, done.stderr


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with an exported model, the model it was exported from, and a data set of two images per split."""
    write_pair(tmp_path)
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for kind in ("images", "masks"):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            labels = np.zeros((48, 56), np.uint8)
            labels[8:24, 8:24], labels[30:44, 30:50] = 1, 2
            image = np.where(labels, 180, 30) + random.integers(0, 20, labels.shape)
            Image.fromarray(image.astype(np.uint8)).save(tmp_path / "data" / split / "images" / name)
            Image.fromarray(labels).save(tmp_path / "data" / split / "masks" / name)
    return tmp_path


def test_verbs_that_need_no_torch_work_without(here: Path) -> None:
    folder = ["--dataset", "folder", "--root", "data"]
    commands = [
        ["predict", "model.onnx", "data/test/images", "--out", "labels", "--table"],
        ["predict", "model.onnx", *folder, "--split", "test", "--out", "again", "--tile", "32"],
        ["predict", "model.onnx", "data/test/images", "--out", "sized", "--object-size", "24"],
        ["predict", "model.onnx", "data/test/images", "--out", "measured", "--object-size", "auto"],
        ["evaluate", "labels", *folder, "--json", "scores.json"],
        ["tune", "model.onnx", "folder", "--root", "data"],
        ["info", "model.onnx"],
        ["web", "site", "--model", "model.onnx", "--runtime", "runtime"],
        ["benchmark", "model.onnx", "--size", "48", "56", "--repeats", "1"],
        ["convert", "labels", "--to", "geojson", "--out", "outlines"],
        ["download", "--help"],
        ["table", "2", "--runs", "."],
        ["report", "model.onnx", *folder, "--out", "page"],
        ["proofread", "model.onnx", "data/test/images", "--out", "doubtful"],
    ]
    write_runtime(here / "runtime")
    codes, said, _ = codes_of(commands, here)
    assert read_labels(here / "sized" / "a.tif").max() > 0
    assert codes == [0] * len(commands), said
    assert (here / "site" / "index.html").exists()
    assert {"a.tif", "b.tif"} <= {path.name for path in (here / "labels").iterdir()}
    assert json.loads((here / "scores.json").read_text(encoding="utf-8"))
    assert "array to labels" in said


def test_labels_are_those_with_torch(here: Path) -> None:
    import segraft

    code = (
        "import numpy, segraft; image = numpy.load('image.npy'); "
        "numpy.save('labels.npy', segraft.load('model.onnx').predict(image)); assert 'torch' not in sys.modules"
    )
    image = np.random.default_rng(1).random((64, 48)).astype(np.float32)
    np.save(here / "image.npy", image)
    done = without_torch(code, folder=here)
    assert done.returncode == 0, done.stderr
    found = np.load(here / "labels.npy")
    np.testing.assert_array_equal(found, segraft.load(here / "model.safetensors", "cpu").predict(image))
    assert found.max() > 1


def test_openvino_needs_no_torch(here: Path) -> None:
    write_openvino(here)
    code = (
        "import numpy, segraft; image = numpy.load('image.npy'); "
        "found = [int(segraft.load(f'model.{kind}.onnx').predict(image).max()) for kind in ('openvino', 'int8')]; "
        "assert 'torch' not in sys.modules; print(*found)"
    )
    np.save(here / "image.npy", np.random.default_rng(1).random((64, 48)).astype(np.float32))
    done = without_torch(code, folder=here)
    assert done.returncode == 0, done.stderr
    assert min(map(int, done.stdout.split())) > 1


def test_what_needs_torch_says_so_in_one_line_each(here: Path) -> None:
    commands = [
        ["predict", "model.safetensors", "data/test/images", "--out", "none"],
        ["info", "model.safetensors"],
        ["train", "folder", "--root", "data", "--out", "none"],
        ["distill", "folder", "--root", "data", "--teacher", "model.safetensors", "--out", "none"],
        ["export", "model.safetensors", "--out", "other.onnx"],
        ["benchmark", "resunet-tiny"],
        ["demo", "--out", "none"],
        ["table", "1"],
    ]
    codes, _, errors = codes_of(commands, here)
    assert codes == [2] * len(commands)
    lines = errors.splitlines()
    assert len(lines) == len(commands)
    for line in lines:
        assert "PyTorch is not installed" in line
        assert "pip install 'segraft[torch]'" in line
        assert "segraft export" in line
    assert not (here / "none").exists()


def test_a_mistyped_command_is_told_without(here: Path) -> None:
    codes, _, errors = codes_of([["predcit", "model.onnx"]], here)
    assert codes == [2]
    (line,) = errors.splitlines()
    assert "predcit" in line


def test_a_tif_that_needs_imagecodecs_says_so(here: Path) -> None:
    tifffile.imwrite(here / "lzw.tif", np.ones((48, 48), np.uint8), compression="lzw")
    codes, _, errors = codes_of([["predict", "model.onnx", "lzw.tif", "--out", "none"]], here)
    assert codes == [2]
    assert errors.splitlines()[-1].endswith("pip install 'segraft[formats]', or save it without compression")


def test_python_is_told_the_same(here: Path) -> None:
    code = (
        "import segraft\n"
        "for act in (lambda: segraft.load('model.safetensors'), lambda: segraft.train, lambda: segraft.MemoryBank):\n"
        "    try: act()\n"
        "    except segraft.UserError as error: print(error)\n"
    )
    done = without_torch(code, folder=here)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("PyTorch is not installed" in line for line in lines)
