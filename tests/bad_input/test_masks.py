"""Masks that are damaged or no labels: one line; strange ones, also with very many objects: handled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.images.reading import read_labels
from segraft.model.model import Model
from shared.commands import Capture, Spoil, call, files, palette, partial, refused, scene, train, truncated


def rgba(path: Path) -> None:
    """A picture like the raw masks of BBBC039."""
    picture = np.zeros((*scene()[1].shape, 4), np.uint8)
    picture[..., 0], picture[..., 3] = scene()[1], 255
    Image.fromarray(picture).save(path)


BAD_MASKS: dict[str, tuple[str, Spoil, str]] = {
    "fractions": ("bad.tif", lambda path: tifffile.imwrite(path, scene()[1] / np.float32(7)), "expected integers"),
    "not a number": ("bad.tif", lambda path: tifffile.imwrite(path, scene()[1] * np.float32("nan")), "such as nan"),
    "negative": ("bad.tif", lambda path: tifffile.imwrite(path, scene()[1] - 5), "-4"),
    "colours with alpha": ("bad.png", rgba, "--dataset bbbc039 --root DIR"),
    "another shape": ("bad.tif", lambda path: tifffile.imwrite(path, scene(shape=(24, 30))[1]), "(24, 30)"),
    "three axes": ("bad.tif", lambda path: tifffile.imwrite(path, np.stack([scene()[1]] * 5)), "shape"),
    "truncated": ("bad.tif", truncated, "cut short"),
    "text": ("bad.png", lambda path: path.write_text("a letter\n" * 50), "cannot be read"),
}


@pytest.mark.parametrize("case", BAD_MASKS)
def test_a_bad_mask_is_not_trained_on(case: str, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    name, spoil, words = BAD_MASKS[case]
    folder = cells / "train"
    (folder / "images" / "1.tif").rename(folder / "images" / "bad.tif")
    (folder / "masks" / "1.tif").unlink()
    spoil(folder / "masks" / name)
    refused(capfd, words, *train(cells, tmp_path / "out"))
    assert not files(tmp_path / "out")


@pytest.mark.parametrize("case", BAD_MASKS)
@pytest.mark.parametrize("side", ["predicted", "truth"])
def test_a_bad_mask_is_not_scored(case: str, side: str, tmp_path: Path, capfd: Capture) -> None:
    name, spoil, words = BAD_MASKS[case]
    tifffile.imwrite(tmp_path / "good.tif", scene()[1])
    spoil(tmp_path / name)
    pair = (tmp_path / name, tmp_path / "good.tif")
    out = tmp_path / "out" / "scores"
    refused(capfd, words, "evaluate", *(pair if side == "predicted" else pair[::-1]), "--json", out, "--csv", out)
    assert not files(tmp_path / "out")


FINE_MASKS: dict[str, tuple[str, Spoil]] = {
    "palette": ("0.png", lambda path: palette(path, scene()[1])),
    "all background": ("0.tif", lambda path: tifffile.imwrite(path, np.zeros((24, 24), np.uint8))),
    "all unknown": ("0.tif", lambda path: tifffile.imwrite(path, np.full((24, 24), -1, np.int8))),
    "signed with unknown": ("0.tif", lambda path: tifffile.imwrite(path, (scene()[1] - 2).clip(-1).astype(np.int16))),
    "floats that are whole": ("0.tif", lambda path: tifffile.imwrite(path, scene()[1].astype(np.float32))),
    "boolean": ("0.png", lambda path: Image.fromarray(scene()[1] > 3).save(path)),
    "large ids": ("0.tif", lambda path: tifffile.imwrite(path, scene()[1].astype(np.uint64) * 10**12)),
    "each pixel an object": ("0.tif", lambda path: tifffile.imwrite(path, np.arange(24 * 24).reshape(24, 24))),
}


@pytest.mark.parametrize("case", FINE_MASKS)
def test_strange_masks_are_trained_on(case: str, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    name, write = FINE_MASKS[case]
    for split in ("train", "val"):
        (cells / split / "masks" / "0.tif").unlink()
        write(cells / split / "masks" / name)
    code, _ = call(capfd, *train(cells, tmp_path / "out"))
    assert code == 0
    assert not partial(tmp_path / "out")


@pytest.mark.parametrize("case", FINE_MASKS)
def test_strange_masks_are_scored(case: str, tmp_path: Path, capfd: Capture) -> None:
    name, write = FINE_MASKS[case]
    write(tmp_path / name)
    tifffile.imwrite(tmp_path / "other.tif", scene()[1])
    for pair in ((tmp_path / name, tmp_path / "other.tif"), (tmp_path / "other.tif", tmp_path / name)):
        assert call(capfd, "evaluate", *pair) == (0, [])


def many() -> np.ndarray:
    """More objects than 16 bits can number."""
    return np.arange(1, 300 * 300 + 1, dtype=np.uint32).reshape(300, 300)


def test_more_objects_than_16_bits(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    tifffile.imwrite(tmp_path / "image.tif", np.zeros((300, 300), np.uint8))
    monkeypatch.setattr(Model, "labels", lambda *_: many())
    images = (model, tmp_path / "image.tif", "--out")
    refused(capfd, "65535", "predict", *images, tmp_path / "png", "--format", "png")
    assert not files(tmp_path / "png")
    for format in ("tif", "h5", "zarr"):
        assert call(capfd, "predict", *images, tmp_path / format, "--format", format) == (0, [])
        assert np.array_equal(read_labels(tmp_path / format / f"image.{format}"), many())
    assert call(capfd, "evaluate", tmp_path / "tif" / "image.tif", tmp_path / "zarr" / "image.zarr") == (0, [])
