"""Images that are damaged or of a kind that cannot be: one line; strange ones: handled."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.images.reading import read_labels
from segraft.images.writing import write_image
from shared.commands import Capture, Spoil, call, cut, files, palette, partial, refused, scene, train, truncated


def not_finite(value: float) -> Spoil:
    def spoil(path: Path) -> None:
        image = scene()[0].astype(np.float32)
        image[3, 4] = value
        tifffile.imwrite(path, image)

    return spoil


def write_h5(path: Path, array: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file["raw"] = array


BAD_IMAGES: dict[str, tuple[str, Spoil, str]] = {
    "NaN": ("bad.tif", not_finite(np.nan), "NaN"),
    "infinite": ("bad.tif", not_finite(np.inf), "infinite"),
    "minus infinite": ("bad.tif", not_finite(-np.inf), "infinite"),
    "truncated tif": ("bad.tif", truncated, "cut short"),
    "truncated png": ("bad.png", lambda path: (Image.fromarray(scene()[0]).save(path), cut(path)), "cut short"),
    "empty file": ("bad.tif", lambda path: path.write_bytes(b""), "cannot be read"),
    "text as tif": ("bad.tif", lambda path: path.write_text("a letter\n" * 50), "cannot be read"),
    "text as png": ("bad.png", lambda path: path.write_text("a letter\n" * 50), "cannot be read"),
    "text as h5": ("bad.h5", lambda path: path.write_text("a letter\n" * 50), "cannot be read"),
    "folder as tif": ("bad.tif", lambda path: path.mkdir(), "bad.tif"),
    "objects": ("bad.npy", lambda path: np.save(path, np.array([{}, None]), allow_pickle=True), "objects"),
    "colour": (
        "bad.png",
        lambda path: Image.fromarray(np.eye(72, 24, dtype=np.uint8).reshape(24, 24, 3)).save(path),
        "channels",
    ),
    "palette": ("bad.png", lambda path: palette(path, scene()[1]), "channels"),
    "complex": ("bad.h5", lambda path: write_h5(path, scene()[0].astype(np.complex64)), "complex"),
    "five axes": ("bad.h5", lambda path: write_h5(path, np.zeros((2, 2, 2, 24, 24), np.uint8)), "shape"),
    "no pixels": ("bad.h5", lambda path: write_h5(path, np.zeros((0, 24), np.uint8)), "no pixels"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_is_not_segmented(case: str, model: Path, tmp_path: Path, capfd: Capture) -> None:
    name, spoil, words = BAD_IMAGES[case]
    spoil(tmp_path / name)
    refused(capfd, words, "predict", model, tmp_path / name, "--out", tmp_path / "out", "--table", "--overlay")
    assert not files(tmp_path / "out")


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_is_not_trained_on(case: str, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    name, spoil, words = BAD_IMAGES[case]
    folder = cells / "train"
    (folder / "masks" / "1.tif").rename(folder / "masks" / "bad.tif")
    (folder / "images" / "1.tif").unlink()
    spoil(folder / "images" / name)
    refused(capfd, words, *train(cells, tmp_path / "out"))
    assert not files(tmp_path / "out")


@pytest.mark.parametrize("case", ["NaN", "truncated tif", "colour"])
def test_a_bad_image_to_validate_on_is_found_before_training(
    case: str, cells: Path, tmp_path: Path, capfd: Capture
) -> None:
    name, spoil, words = BAD_IMAGES[case]
    (cells / "val" / "images" / "1.tif").unlink()
    (cells / "val" / "masks" / "1.tif").rename(cells / "val" / "masks" / "bad.tif")
    spoil(cells / "val" / "images" / name)
    refused(capfd, words, *train(cells, tmp_path / "out"))
    assert not files(tmp_path / "out")


def test_images_that_differ_in_channels(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(cells / "train" / "images" / "1.png")
    (cells / "train" / "images" / "1.tif").unlink()
    refused(capfd, "channels", *train(cells, tmp_path / "out"))
    assert not files(tmp_path / "out")


def test_good_images_among_bad_ones_are_done(model: Path, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    folder, out = cells / "train" / "images", tmp_path / "out"
    not_finite(np.nan)(folder / "nan.tif")
    truncated(folder / "short.tif")
    code, lines = call(capfd, "predict", model, folder, "--out", out, "--table", "--outlines", "--overlay")
    assert code == 1
    assert len(lines) == 2
    assert "nan.tif" in lines[0]
    assert "short.tif" in lines[1]
    endings = ("csv", "geojson", "tif")
    assert files(out) == sorted(
        [*(f"{n}.{end}" for n in (0, 1) for end in endings), "overlays/0.png", "overlays/1.png"]
    )


def test_all_bad(model: Path, tmp_path: Path, capfd: Capture) -> None:
    truncated(tmp_path / "a.tif")
    truncated(tmp_path / "b.tif")
    code, lines = call(capfd, "predict", model, tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert len(lines) == 2
    assert not files(tmp_path / "out")


FINE_IMAGES: dict[str, np.ndarray] = {
    "constant": np.full((24, 24), 7, np.uint16),
    "all zero": np.zeros((24, 24), np.uint8),
    "one pixel": np.full((1, 1), 5, np.uint8),
    "one row": np.arange(300, dtype=np.uint16)[None],
    "one column": np.arange(300, dtype=np.uint16)[:, None],
    "elongated": np.random.default_rng(0).integers(0, 255, (3, 2000)).astype(np.uint8),
    "floats": np.random.default_rng(0).normal(0, 1e-6, (24, 24)).astype(np.float64),
    "huge numbers": np.random.default_rng(0).integers(0, 2**32 - 1, (24, 24)).astype(np.uint32),
    "boolean": scene()[1] % 2 == 0,
}


@pytest.mark.parametrize("case", FINE_IMAGES)
def test_strange_images_are_segmented(case: str, model: Path, tmp_path: Path, capfd: Capture) -> None:
    write_image(tmp_path / "image.h5", FINE_IMAGES[case])
    out = tmp_path / "out"
    options = ("--table", "--outlines", "--overlay", "--out", out)
    assert call(capfd, "predict", model, tmp_path / "image.h5", *options) == (0, [])
    assert files(out) == ["image.csv", "image.geojson", "image.tif", "overlays/image.png"]
    assert read_labels(out / "image.tif").shape == FINE_IMAGES[case].shape


@pytest.mark.parametrize("case", ["constant", "one pixel", "elongated"])
def test_strange_images_are_trained_on(case: str, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    for split in ("train", "val"):
        for number in range(2):
            write_image(cells / split / "images" / f"{number}.tif", FINE_IMAGES[case])
            labels = np.arange(FINE_IMAGES[case].size).reshape(FINE_IMAGES[case].shape) // 300 + number
            write_image(cells / split / "masks" / f"{number}.tif", labels.astype(np.int32))
    code, _ = call(capfd, *train(cells, tmp_path / "out"))
    assert code == 0
    assert not partial(tmp_path / "out")
