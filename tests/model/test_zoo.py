"""Models that come with the package are found by name, told of, and never changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import segraft
from segraft.errors import UserError
from segraft.model import model_file
from shared.exports import write_pair


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with the models ``cells``, which has a card, and ``other``."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    write_pair(folder, "cells")
    (folder / "cells.safetensors").unlink()
    shutil.copy(folder / "cells.onnx", folder / "other.onnx")
    (folder / "cells.md").write_text("# Cells\n\nTrained on nothing.\n", encoding="utf-8")
    monkeypatch.setattr(model_file, "ZOO", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_name_is_a_model(zoo: Path) -> None:
    assert list(model_file.shipped()) == ["cells", "other"]
    image = np.random.default_rng(1).random((64, 48)).astype(np.float32)
    labels = segraft.load("cells").predict(image)
    np.testing.assert_array_equal(labels, segraft.load(zoo / "cells.onnx").predict(image))


def test_a_folder_of_images_of_that_name_does_no_harm(zoo: Path) -> None:
    Path("cells").mkdir()
    assert model_file.locate("cells") == zoo / "cells.onnx"


def test_a_file_of_that_name_comes_first(zoo: Path) -> None:
    shutil.copy(zoo / "cells.onnx", "cells")
    assert model_file.locate("cells") == Path("cells")


def test_info_prints_the_card(zoo: Path) -> None:
    assert segraft.info("cells").endswith("\n\n# Cells\n\nTrained on nothing.")
    assert "Trained on" not in segraft.info("other")
    shutil.copy(zoo / "cells.onnx", "mine.onnx")
    Path("mine.md").write_text("notes of my own", encoding="utf-8")
    assert "notes of my own" not in segraft.info("mine.onnx")


def test_unknown_names_tell_the_known_ones(zoo: Path) -> None:
    with pytest.raises(UserError, match="celss does not exist; expected a run folder, a model file or cells, other"):
        segraft.load("celss")


@pytest.mark.usefixtures("zoo")
def test_they_are_not_changed() -> None:
    with pytest.raises(UserError, match="cells comes with the package, expected a model of your own to change; copy"):
        segraft.tune("cells", "synthetic")
    with pytest.raises(UserError, match="comes with the package"):
        model_file.change("cells", pixel_type="uint8")
