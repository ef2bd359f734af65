"""Tifs that are marked "0 is white", as tifffile marks booleans: whoever reads masks and labels never inverts them.

Booleans are stored as 1 inside; what is shown, white for 0, would be the background.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from segraft.commands.convert import convert
from segraft.commands.evaluate import evaluate
from segraft.commands.tune import tune
from segraft.data import open_dataset
from segraft.images.reading import read_labels
from segraft.model import checkpoint
from shared.models import a_config, lively

NAMES = [f"{number:02d}" for number in range(10)]
ONCE: dict[str, Any] = {"foreground_threshold": (0.5,), "minimum_size": (0,), "thickness": (2.0,), "device": "cpu"}


def marked(path: Path, array: np.ndarray) -> None:
    """Write a tif and make sure that it is marked so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, photometric=None if array.dtype == bool else "miniswhite")
    with tifffile.TiffFile(path) as tif:
        assert tif.pages.first.photometric == tifffile.PHOTOMETRIC.MINISWHITE


@pytest.fixture
def truths(cells: Path) -> dict[str, np.ndarray]:
    """The labels of the folder ``cells``, whose files are marked from now on."""
    truths = {name: read_labels(cells / "masks" / f"{name}.tif").astype(np.uint8) for name in NAMES}
    for name, labels in truths.items():
        marked(cells / "masks" / f"{name}.tif", labels)
    return truths


def read_back(cells: Path, **options: Any) -> dict[str, np.ndarray]:
    """All labels that the reader ``folder`` gives, by name."""
    samples = [each for split in ("train", "val", "test") for each in open_dataset("folder", cells, split, **options)]
    return {sample.name: sample.labels for sample in samples}


def test_label_images_of_a_folder(cells: Path, truths: dict[str, np.ndarray]) -> None:
    read = read_back(cells)
    assert sorted(read) == NAMES
    assert all(np.array_equal(read[name], truths[name]) for name in NAMES)


def test_boolean_masks_of_a_folder(cells: Path, truths: dict[str, np.ndarray]) -> None:
    for name in NAMES:
        marked(cells / "masks" / f"{name}.tif", truths[name] > 0)
    read = read_back(cells, masks="components")
    for name in NAMES:
        pieces, count = ndimage.label(truths[name] > 0, np.ones((3, 3)))
        assert np.array_equal(read[name] > 0, pieces > 0)
        assert read[name].max() == count


def test_one_boolean_mask_per_object(cells: Path, truths: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in NAMES:
        (cells / "masks" / f"{name}.tif").unlink()
        for number in range(1, truths[name].max() + 1):
            marked(cells / "masks" / name / f"{number}.tif", truths[name] == number)
    read = read_back(cells)
    assert convert([cells], out=tmp_path / "out") == 0
    for name in NAMES:
        assert np.array_equal(read[name], truths[name])
        assert np.array_equal(read_labels(tmp_path / "out" / f"{name}.tif"), truths[name])


@pytest.mark.parametrize("to", ["tif", "geojson"])
def test_convert(cells: Path, truths: dict[str, np.ndarray], tmp_path: Path, to: Any) -> None:
    assert convert([cells / "masks"], out=tmp_path / to, to=to) == 0
    assert convert([tmp_path / to], out=tmp_path / "back", images=cells / "images") == 0
    for name in NAMES:
        assert np.array_equal(read_labels(tmp_path / "back" / f"{name}.tif"), truths[name])


def test_evaluate(cells: Path, truths: dict[str, np.ndarray], tmp_path: Path) -> None:
    for name in NAMES:
        tifffile.imwrite(tmp_path / f"{name}.tif", truths[name])
    for predicted, truth in ((tmp_path, cells / "masks"), (cells / "masks", tmp_path)):
        scores = evaluate(predicted, truth)
        assert all(scores[name]["aji"] == 1 and scores[name]["voi"] == 0 for name in NAMES)
    scores = evaluate(tmp_path, dataset="folder", root=cells, split="val")
    assert all(row["aji"] == 1 for row in scores.values())


def test_tune(cells: Path, truths: dict[str, np.ndarray], tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "run" / "model.safetensors", lively(), a_config({"dim": 4, "filters": (2, 4, 8)}))
    white = tune(tmp_path / "run", "folder", root=cells, **ONCE)["scores"]
    for name in NAMES:
        tifffile.imwrite(cells / "masks" / f"{name}.tif", truths[name])
    assert tune(tmp_path / "run", "folder", root=cells, **ONCE)["scores"] == white
    assert 0 < white["aji"] < 1
