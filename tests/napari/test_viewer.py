"""The plugin in a real viewer, in an environment of its own: napari and Qt are no part of segraft's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from segraft.images.writing import write_labels

PROJECT = Path(__file__).parent.parent.parent
QT = "PySide6"
SCREEN = "-screen 0 1280x900x24"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with segraft, napari and Qt: what ``SEGRAFT_NAPARI`` names, or a new one."""
    if shutil.which("xvfb-run") is None:
        pytest.skip("needs a display to draw on: install xvfb (xvfb-run); Qt's own offscreen one has no OpenGL")
    if "SEGRAFT_NAPARI" in os.environ:
        return Path(os.environ["SEGRAFT_NAPARI"])
    made = tmp_path_factory.mktemp("napari") / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", made.parent.parent], check=True)
    told = ["--quiet", "-c", str(PROJECT / "constraints.txt"), f"{PROJECT}[napari]", QT]
    run = subprocess.run([made, "-m", "pip", "install", *told], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"napari cannot be installed here: {run.stderr.strip().splitlines()[-1]}")
    return made


@pytest.fixture(scope="module")
def seen(python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a user of the viewer sees; ``picture`` is a screenshot."""
    folder = tmp_path_factory.mktemp("viewer")
    (folder / "spoilt.safetensors").write_text("no model")
    write_labels(folder / "cells.h5", np.ones((20, 30), np.uint32), "", (250.0, 250.0))
    script, picture = Path(__file__).with_name("viewer.py"), folder / "viewer.png"
    command = ["xvfb-run", "-a", "-s", SCREEN, python, script, picture, folder / "spoilt.safetensors"]
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "QT_QPA_PLATFORM")}
    environment = kept | {"QT_API": QT.lower(), "HOME": str(folder)}  # nothing of the user's settings
    run = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900)
    assert run.returncode == 0, run.stderr
    return {**json.loads(run.stdout.splitlines()[-1]), "picture": picture}


pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_objects_become_a_layer_with_a_table(seen: dict[str, Any]) -> None:
    assert seen["settings"] == [0.5, 10, "resunet-tiny, trained on bbbc039"]
    assert 25 < seen["count"] < 45
    assert seen["said"] == f"{seen['count']} objects in nuclei that touch"
    assert seen["layer"] == ["Labels", "nuclei that touch objects", "uint32", [256, 256]]
    assert seen["columns"][:2] == ["index", "area"]


def test_labels_lie_on_their_image_and_are_measured_in_its_unit(seen: dict[str, Any]) -> None:
    assert seen["place"] == [[0.5, 0.5], [3.0, 4.0], ["micrometer", "micrometer"]]
    assert seen["areas fit"]


def test_work_is_cancelled(seen: dict[str, Any]) -> None:
    assert seen["stopped"] == [True, False, True, "stopped", False, True]


def test_mistakes_are_said_in_the_widget(seen: dict[str, Any]) -> None:
    assert seen["without image"].startswith("There is no image to segment")
    assert seen["typed"].startswith("object size: got 'large'")
    words, asked = seen["spoilt"]
    assert "cannot be read as a model" in words
    assert asked
    assert seen["layers"] == 3  # nothing but the image, its labels and the stack


def test_files_are_opened_and_saved(seen: dict[str, Any]) -> None:
    assert seen["files"] == [seen["count"], [["Labels", "labels", [250.0, 250.0]]]]


def test_the_screenshot_shows_the_objects(seen: dict[str, Any]) -> None:
    with Image.open(seen["picture"]) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    middle = pixels[:, pixels.shape[1] // 3 : 2 * pixels.shape[1] // 3]
    assert (middle.max(-1) - middle.min(-1) > 40).mean() > 0.03
