"""Files that the plugin opens and saves, without napari."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from segraft.errors import UserError
from segraft.images.writing import write_image, write_labels
from segraft.napari.files import open_h5, reader, write_geojson

LABELS = np.kron([[1, 0], [0, 7]], np.ones((5, 6), np.uint32))


@pytest.fixture
def h5(tmp_path: Path) -> Path:
    """A file with an image, its labels, a volume of known size and a list of numbers."""
    path = tmp_path / "cells.h5"
    write_image(path, np.random.default_rng(0).random((10, 12)).astype(np.float32), "raw")
    write_labels(f"{path}:labels", LABELS, "", (250.0, 500.0))
    with h5py.File(path, "a") as file:
        file["scores"] = np.arange(3)
        file["deep/volume"] = np.zeros((2, 3, 4, 5), np.uint8)
        file["deep/volume"].attrs["resolution"] = (40.0, 4.0, 4.0)
    return path


def test_every_array_is_a_layer(h5: Path) -> None:
    layers = {settings["name"]: (data, settings, kind) for data, settings, kind in reader(path=str(h5))(str(h5))}
    assert {name: kind for name, (_, _, kind) in layers.items()} == {
        "raw": "image",
        "labels": "labels",
        "deep/volume": "image",
    }
    data, settings, _ = layers["labels"]
    assert np.array_equal(data, LABELS)
    assert settings["scale"] == pytest.approx((250, 500))
    assert settings["units"] == ("nm", "nm")
    assert "scale" not in layers["raw"][1]
    assert layers["deep/volume"][1]["scale"] == (1.0, 40.0, 4.0, 4.0)
    assert layers["deep/volume"][1]["units"] == ("pixel", "nm", "nm", "nm")


def test_several_files_at_once(h5: Path) -> None:
    assert len(reader([str(h5), str(h5)])([])) == 6


def test_files_with_nothing_to_show(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no h5")
    with pytest.raises(UserError, match=r"text\.h5 cannot be read"):
        open_h5(tmp_path / "text.h5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["scores"] = np.arange(3)
    with pytest.raises(UserError, match="holds no array of two axes or more, expected"):
        open_h5(tmp_path / "empty.h5")


def test_outlines_are_written(tmp_path: Path) -> None:
    path = str(tmp_path / "cells.geojson")
    assert write_geojson(path, LABELS, {}) == [path]
    features = json.loads(Path(path).read_text())["features"]
    assert [each["properties"]["name"] for each in features] == ["1", "7"]
    with pytest.raises(UserError, match="expected 2-D labels"):
        write_geojson(path, LABELS[None], {})
