"""Labels in colour, with an axis too many, or one mask for each object in a stack: named as what they are, or read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.data import open_dataset
from segraft.images.reading import read_labels
from shared.commands import Capture, Spoil, call, files, refused, scene, train

IMAGE, LABELS = scene()
COLOURS = np.random.default_rng(0).integers(0, 255, (7, 4))[LABELS]
PLANES = np.stack([255 * (number == LABELS) for number in range(1, 7)]).astype(np.uint8)
SEVERAL = np.stack([LABELS] * 5)


def picture(channels: int) -> Callable[[Path], None]:
    return lambda path: Image.fromarray(COLOURS[..., :channels].astype(np.uint8)).save(path)


def tif(array: np.ndarray, **options: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, array, **options)


def npy(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, array)


IN_COLOUR = "in colour or with transparency (24×24×"
BAD: dict[str, tuple[str, Spoil, str]] = {
    "RGB png": ("0.png", picture(3), IN_COLOUR),
    "RGBA png": ("0.png", picture(4), IN_COLOUR),
    "grey in RGB": (
        "0.png",
        lambda path: Image.fromarray(LABELS.astype(np.uint8)).convert("RGB").save(path),
        IN_COLOUR,
    ),
    "grey with alpha": (
        "0.png",
        lambda path: Image.fromarray(LABELS.astype(np.uint8)).convert("LA").save(path),
        "24×2",
    ),
    "RGB tif": ("0.tif", tif(COLOURS[..., :3].astype(np.uint8), photometric="rgb"), IN_COLOUR),
    "RGB tif of 16 bits": ("0.tif", tif(COLOURS[..., :3].astype(np.uint16), photometric="rgb"), IN_COLOUR),
    "RGB npy": ("0.npy", npy(COLOURS[..., :3]), "colours or channels (24, 24, 3)"),
    "planar RGB": (
        "0.tif",
        tif(np.moveaxis(COLOURS[..., :3], -1, 0).astype(np.uint8), photometric="rgb", planarconfig="separate"),
        "a stack of 3 planes of labels (3, 24, 24)",
    ),
    "a stack of masks": ("0.tif", tif(PLANES, photometric="minisblack"), "a stack of 6 masks (6, 24, 24)"),
    "a stack of labels": ("0.tif", tif(SEVERAL, photometric="minisblack"), "a stack of 5 planes of labels"),
    "a volume": ("0.npy", npy(np.zeros((6, 12, 12), int)), "a volume (6, 12, 12)"),
}


def put(cells: Path, name: str, write: Spoil) -> Path:
    """Write the training masks of all images anew."""
    masks = cells / "train" / "masks"
    for path in masks.iterdir():
        write(path.with_suffix(Path(name).suffix))
        if path.suffix != Path(name).suffix:
            path.unlink()
    return masks


@pytest.mark.parametrize("case", BAD)
def test_labels_of_another_kind_are_named(case: str, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    name, write, words = BAD[case]
    masks = put(cells, name, write)
    refused(capfd, words, *train(cells, tmp_path / "out"))
    refused(capfd, str(masks), *train(cells, tmp_path / "out"))
    assert not files(tmp_path / "out")
    tifffile.imwrite(tmp_path / "flat.tif", LABELS)
    refused(capfd, words, "evaluate", tmp_path / "flat.tif", masks / name)


def test_colours_are_no_volume_beside_a_colour_image(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    for path in (cells / "train" / "images").iterdir():
        tifffile.imwrite(path, COLOURS[..., :3].astype(np.uint8), photometric="rgb")
    put(cells, "0.npy", npy(COLOURS[..., :3]))
    refused(capfd, "colours or channels (24, 24, 3)", *train(cells, tmp_path / "out"))


def test_a_stack_of_masks_is_read_when_asked_for(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    for split in ("train", "val"):
        for path in (cells / split / "masks").iterdir():
            tifffile.imwrite(path, PLANES, photometric="minisblack")
    refused(capfd, "--options.masks planes", *train(cells, tmp_path / "out"))
    np.testing.assert_array_equal(open_dataset("folder", cells, "train", masks="planes")[0].labels, LABELS)
    assert call(capfd, *train(cells, tmp_path / "out"), "--options.masks", "planes") == (0, [])
    for path in (cells / "train" / "masks").iterdir():
        tifffile.imwrite(path, LABELS)
    refused(capfd, "expected a stack of masks", *train(cells, tmp_path / "again"), "--options.masks", "planes")


@pytest.mark.parametrize("shape", [(24, 24, 1), (1, 24, 24, 1), (1, 24, 24)])
def test_axes_of_one_entry_are_dropped(shape: tuple[int, ...], cells: Path, tmp_path: Path, capfd: Capture) -> None:
    masks = put(cells, "0.npy", npy(LABELS.reshape(shape)))
    np.testing.assert_array_equal(read_labels(masks / "0.npy"), LABELS)
    assert call(capfd, *train(cells, tmp_path / "out")) == (0, [])


@pytest.mark.parametrize("sections", [3, 4, 8])
def test_volumes_stay_volumes(sections: int, tmp_path: Path) -> None:
    """Also those of three or four sections, which tifffile stores as planes of colour."""
    kind = {"photometric": "rgb", "planarconfig": "separate"} if sections < 8 else {"photometric": "minisblack"}
    labels = np.repeat(LABELS[None], sections, 0)
    for split in ("train", "val"):
        for folder, array in (("images", labels.astype(np.uint8)), ("masks", labels.astype(np.uint8))):
            (tmp_path / split / folder).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(tmp_path / split / folder / "a.tif", array, **kind)
    sample = open_dataset("folder", tmp_path, "train")[0]
    assert sample.image.shape == (1, sections, 24, 24)
    np.testing.assert_array_equal(sample.labels, labels)
