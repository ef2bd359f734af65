"""Disks that are full or read-only, and outputs whose place is taken: one line, and no half files."""

from __future__ import annotations

import builtins
import errno
import os
from pathlib import Path
from typing import Any

import pytest
import tifffile
from PIL import Image

from shared.commands import Capture, call, files, partial, refused, scene, train


def full_disk(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Whatever is written begins well and ends with a full disk."""

    def full(path: Any, *_: object, **__: object) -> None:
        with builtins.open(path, "wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    owners: dict[str, Any] = {"write_text": Path, "write_bytes": Path, "imwrite": tifffile, "save": Image.Image}
    for name in names:
        monkeypatch.setattr(owners[name], name, (lambda _, path, **__: full(path)) if name == "save" else full)


def read_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Refuse to write in a folder, as a read-only file system would; being root does not help against it."""
    real_open, real_mkdir = builtins.open, os.mkdir

    def inside(path: Any) -> bool:
        return isinstance(path, str | Path) and Path(path).is_relative_to(folder)

    def open_(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        if inside(file) and set(mode) & set("wax+"):
            raise OSError(errno.EROFS, "Read-only file system", str(file))
        return real_open(file, mode, *args, **options)

    def mkdir(path: Any, *args: Any, **options: Any) -> None:
        if inside(path):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        real_mkdir(path, *args, **options)

    monkeypatch.setattr("builtins.open", open_)
    monkeypatch.setattr("io.open", open_)
    monkeypatch.setattr("os.mkdir", mkdir)


@pytest.mark.parametrize("disk", ["full", "read-only"])
@pytest.mark.parametrize("extra", [(), ("--table",), ("--outlines",), ("--overlay",), ("--format", "png")])
def test_labels_that_cannot_be_written(
    disk: str, extra: tuple[str, ...], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    tifffile.imwrite(tmp_path / "image.tif", scene()[0])
    out = tmp_path / "out"
    full_disk(monkeypatch, "write_text", "imwrite", "save") if disk == "full" else read_only(monkeypatch, out)
    words = "no space left" if disk == "full" else "read-only"
    refused(capfd, words, "predict", model, tmp_path / "image.tif", "--out", out, *extra)
    assert not files(out)


@pytest.mark.parametrize("disk", ["full", "read-only"])
@pytest.mark.parametrize("kind", ["json", "csv"])
def test_scores_that_cannot_be_written(
    disk: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", scene()[1])
    out = tmp_path / "out"
    full_disk(monkeypatch, "write_text") if disk == "full" else read_only(monkeypatch, out)
    words = "no space left" if disk == "full" else "read-only"
    refused(capfd, words, "evaluate", tmp_path / "a.tif", tmp_path / "a.tif", f"--{kind}", out / "scores")
    assert not files(out)


def test_a_run_folder_that_cannot_be_made(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    read_only(monkeypatch, tmp_path / "out")
    refused(capfd, "read-only", *train(cells, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["write_text", "write_bytes"])
def test_a_disk_that_fills_up_during_training(
    name: str, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    """``write_text`` writes the configuration, ``write_bytes`` the model."""
    full_disk(monkeypatch, name)
    code, lines = call(capfd, *train(cells, tmp_path / "out"))
    assert code == 2
    assert sum("No space left" in line for line in lines) == 1
    assert "model.safetensors" not in files(tmp_path / "out")
    assert not partial(tmp_path / "out")


def test_a_disk_that_fills_up_at_a_checkpoint(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture
) -> None:
    import lightning

    def full(trainer: lightning.Trainer, path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", full)
    code, lines = call(capfd, *train(cells, tmp_path / "out"))
    assert code == 2
    assert sum("No space left" in line for line in lines) == 1
    assert "checkpoints/last.ckpt" not in files(tmp_path / "out")
    assert not partial(tmp_path / "out")


def test_a_file_in_the_place_of_the_output(model: Path, cells: Path, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "out").write_text("mine")
    image = cells / "train" / "images" / "0.tif"
    mask = cells / "train" / "masks" / "0.tif"
    refused(capfd, "cannot be written", "predict", model, image, "--out", tmp_path / "out")
    refused(capfd, "cannot be written", "evaluate", mask, mask, "--json", tmp_path / "out" / "scores.json")
    refused(capfd, "out", *train(cells, tmp_path / "out"))
    refused(capfd, "out", "demo", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"
