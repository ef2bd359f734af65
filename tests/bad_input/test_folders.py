"""Folders without images, without masks or without pairs: one line, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.commands import Capture, Spoil, files, refused, train


def remove(path: Path) -> None:
    for inner in sorted(path.rglob("*"), reverse=True):
        inner.unlink() if inner.is_file() else inner.rmdir()
    path.rmdir()


FOLDERS: dict[str, tuple[Spoil, str]] = {
    "missing": (remove, "is no folder"),
    "empty": (lambda root: (remove(root), root.mkdir()), "no image"),
    "empty images": (lambda root: [path.unlink() for path in root.glob("train/*/*")], "no image"),
    "a file": (lambda root: (remove(root), root.write_text("x")), "is no folder"),
    "image without mask": (lambda root: (root / "train/masks/1.tif").unlink(), "1.tif"),
    "mask without image": (lambda root: (root / "train/images/1.tif").unlink(), "1.tif"),
    "image without mask to validate on": (lambda root: (root / "val/masks/1.tif").unlink(), "1.tif"),
    "two masks": (lambda root: (root / "train/masks/1.tif").rename(root / "train/masks/0_mask.tif"), "same name"),
    "masks and labels": (lambda root: (root / "train/labels").mkdir(), "one of them"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_that_cannot_be_trained_on(case: str, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    spoil, words = FOLDERS[case]
    spoil(cells)
    refused(capfd, words, *train(cells, tmp_path / "out"))
    assert not files(tmp_path / "out")


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize(("place", "words"), [("nowhere", "does not exist"), ("empty", "no image"), ("*.tif", "")])
def test_no_images(verb: str, place: str, words: str, model: Path, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "empty").mkdir()
    tokens = ("predict", model) if verb == "predict" else ("evaluate",)
    rest = ("--out", tmp_path / "out") if verb == "predict" else (tmp_path / place,)
    refused(capfd, words, *tokens, tmp_path / place, *rest)
    assert not (tmp_path / "out").exists()


def test_a_folder_whose_images_lie_deeper(model: Path, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    words = f"no image in the folder {cells / 'train'}"
    advice = f"there are some in {cells / 'train/images'} and {cells / 'train/masks'}, give one of them"
    refused(capfd, words, "predict", model, cells / "train", "--out", tmp_path / "out")
    refused(capfd, advice, "predict", model, cells / "train", "--out", tmp_path / "out")
