"""Bad input of every kind, through the command line: one clear line and exit code 2, or handled; no half files."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import safetensors.torch
import tifffile
import torch
from PIL import Image

from segraft import checkpoint
from segraft.cli import main
from segraft.data.images import read_labels, write_image
from segraft.inference import Model
from segraft.networks import create_network

Capture = pytest.CaptureFixture[str]
Spoil = Callable[[Path], Any]

TINY = ("--network", "resunet-tiny", "--width", 2, "--dim", 4)
SHORT = ("--patch", 16, 16, "--batch", 1, "--steps", 1, "--workers", 0, "--device", "cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a tiny network that nobody trained."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    torch.manual_seed(0)
    network = create_network("resunet-tiny", dim=4, filters=(2, 4, 8))
    config = {"network": {"name": "resunet-tiny", "in_channels": 1, "dim": 4, "filters": [2, 4, 8]}}
    checkpoint.save(path, network, config)
    return path


def scene(seed: int = 0, shape: tuple[int, int] = (24, 24)) -> tuple[np.ndarray, np.ndarray]:
    """An image of noise, uint16, and labels of six squares, int32."""
    rng = np.random.default_rng(seed)
    labels = np.kron(np.arange(1, 7).reshape(2, 3), np.ones((shape[0] // 2, shape[1] // 3), np.int32))
    return rng.integers(100, 4000, shape).astype(np.uint16), labels.astype(np.int32)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``train/`` and ``val/`` of two good pairs each, to be left as it is."""
    root = tmp_path_factory.mktemp("pairs")
    for split in ("train", "val"):
        for number in range(2):
            image, labels = scene(number)
            write_image(root / split / "images" / f"{number}.tif", image)
            write_image(root / split / "masks" / f"{number}.tif", labels)
    return root


@pytest.fixture
def cells(pairs: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return shutil.copytree(pairs, tmp_path / "cells")


def call(capfd: Capture, *tokens: object) -> tuple[int, list[str]]:
    """Run one command: its exit code and its lines on stderr."""
    code = main([str(token) for token in tokens])
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    return code, err.splitlines()


def refused(capfd: Capture, words: str, *tokens: object) -> None:
    """One line on stderr that says the words, and exit code 2."""
    code, lines = call(capfd, *tokens)
    assert len(lines) == 1, lines
    assert words.lower() in lines[0].lower()
    assert code == 2


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def partial(folder: Path) -> list[str]:
    """Files that are no results: hidden or temporary ones."""
    return [name for name in files(folder) if "/." in f"/{name}" or name.endswith((".part", ".tmp", ".new", ".old"))]


def train(root: Path, out: Path) -> tuple[object, ...]:
    return ("train", "folder", "--root", root, *TINY, *SHORT, "--out", out)


# Images


def cut(path: Path, keep: float = 0.6) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])


def not_finite(value: float) -> Spoil:
    def spoil(path: Path) -> None:
        image = scene()[0].astype(np.float32)
        image[3, 4] = value
        tifffile.imwrite(path, image)

    return spoil


def truncated(path: Path) -> None:
    tifffile.imwrite(path, scene()[0])
    cut(path)


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
    "colour": ("bad.png", lambda path: Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(path), "channels"),
    "palette": ("bad.png", lambda path: palette(path, scene()[1]), "channels"),
    "complex": ("bad.h5", lambda path: write_h5(path, scene()[0].astype(np.complex64)), "complex"),
    "five axes": ("bad.h5", lambda path: write_h5(path, np.zeros((2, 2, 2, 24, 24), np.uint8)), "shape"),
    "no pixels": ("bad.h5", lambda path: write_h5(path, np.zeros((0, 24), np.uint8)), "no pixels"),
}


def palette(path: Path, labels: np.ndarray) -> None:
    """A png whose pixels are indices into a palette of colours in an order of its own."""
    picture = Image.fromarray(labels.astype(np.uint8), "L").convert("P")
    picture.putdata(labels.ravel().tolist())
    picture.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
    picture.save(path)


def write_h5(path: Path, array: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file["raw"] = array


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
            labels = np.arange(FINE_IMAGES[case].size).reshape(FINE_IMAGES[case].shape) // 300
            write_image(cells / split / "masks" / f"{number}.tif", labels.astype(np.int32))
    code, _ = call(capfd, *train(cells, tmp_path / "out"))
    assert code == 0
    assert not partial(tmp_path / "out")


# Masks


def rgba(path: Path) -> None:
    """A picture like the raw masks of BBBC039."""
    picture = np.zeros((*scene()[1].shape, 4), np.uint8)
    picture[..., 0], picture[..., 3] = scene()[1], 255
    Image.fromarray(picture).save(path)


BAD_MASKS: dict[str, tuple[str, Spoil, str]] = {
    "float": ("bad.tif", lambda path: tifffile.imwrite(path, scene()[1].astype(np.float32)), "wanted integers"),
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
    predict = Model.predict
    monkeypatch.setattr(
        Model, "predict", lambda self, image, **_: many() if image.size == 90_000 else predict(self, image)
    )
    images = (model, tmp_path / "image.tif", "--out")
    refused(capfd, "65535", "predict", *images, tmp_path / "png", "--format", "png")
    assert not files(tmp_path / "png")
    for format in ("tif", "h5", "zarr"):
        assert call(capfd, "predict", *images, tmp_path / format, "--format", format) == (0, [])
        assert np.array_equal(read_labels(tmp_path / format / f"image.{format}"), many())
    assert call(capfd, "evaluate", tmp_path / "tif" / "image.tif", tmp_path / "zarr" / "image.zarr") == (0, [])


# Folders


def remove(path: Path) -> None:
    for inner in sorted(path.rglob("*"), reverse=True):
        inner.unlink() if inner.is_file() else inner.rmdir()
    path.rmdir()


def only_one(root: Path) -> None:
    remove(root)
    write_image(root / "images" / "0.tif", scene()[0])
    write_image(root / "masks" / "0.tif", scene()[1])


FOLDERS: dict[str, tuple[Spoil, str]] = {
    "missing": (remove, "is no folder"),
    "empty": (lambda root: (remove(root), root.mkdir()), "no image"),
    "empty images": (lambda root: [path.unlink() for path in root.glob("train/*/*")], "no image"),
    "only one image": (only_one, "too few"),
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


def test_images_that_differ_in_channels(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(cells / "train" / "images" / "1.png")
    (cells / "train" / "images" / "1.tif").unlink()
    refused(capfd, "channels", *train(cells, tmp_path / "out"))
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


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
@pytest.mark.parametrize(("place", "words"), [("nowhere", "does not exist"), ("empty", "no image"), ("*.tif", "")])
def test_no_images(verb: str, place: str, words: str, model: Path, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "empty").mkdir()
    tokens = ("predict", model) if verb == "predict" else ("evaluate",)
    rest = ("--out", tmp_path / "out") if verb == "predict" else (tmp_path / place,)
    refused(capfd, words, *tokens, tmp_path / place, *rest)
    assert not (tmp_path / "out").exists()


# Names and values

TRAIN = ("train", "folder", "--root", "CELLS", "--out", "OUT", *SHORT)
UNKNOWN: dict[tuple[object, ...], str] = {
    ("nope",): "predict",
    ("predict", "MODEL", "--nope", 1): "--nope",
    ("predict", "MODEL", "image.tif", "--out", "OUT", "--format", "tiff"): "known: tif, png, h5, zarr",
    ("predict", "MODEL", "--dataset", "bbbc39", "--root", ".", "--out", "OUT"): "did you mean 'bbbc039'",
    ("predict", "MODEL", "--dataset", "synthetic", "--split", "tset", "--out", "OUT"): "did you mean 'test'",
    ("predict", "MODEL", "image.tif", "--out", "OUT", "--device", "gpu"): "cpu",
    ("predict", "MODEL", "image.tif", "--out", "OUT", "--foreground", "true"): "truth",
    ("evaluate", "image.tif", "--dataset", "nope"): "known: ac34",
    ("benchmark", "resnet"): "resunet-tiny",
    ("train", "nope", "--out", "OUT"): "known: ac34, bbbc010, bbbc039",
    (*TRAIN, "--network", "unet"): "did you mean 'resunet'",
    (*TRAIN, "--optimizer", "sgd"): "adamw",
    (*TRAIN, "--schedule", "step"): "cosine",
    (*TRAIN, "--precision", "half"): "bfloat16",
    (*TRAIN, "--monitor", "accuracy"): "aji",
    (*TRAIN, "--geometry", "flop"): "did you mean 'flip'",
    (*TRAIN, "--intensity", "flip"): "gamma",
    (*TRAIN, "--background", "none"): "separate",
    (*TRAIN, "--weights.nope", 1): "known: affinity",
    ("distill", *TRAIN[1:], "--teacher", "MODEL", "--method", "grahp"): "did you mean 'graph'",
    ("distill", *TRAIN[1:], "--teacher", "MODEL", "--student", "tiny"): "resunet-tiny",
}


def put(tokens: tuple[object, ...], **places: Path) -> list[object]:
    """Tokens with paths in place of their names."""
    return [places.get(str(token), token) for token in tokens]


@pytest.mark.parametrize("tokens", UNKNOWN, ids=lambda tokens: " ".join(map(str, tokens)))
def test_unknown_names_are_answered_with_the_known_ones(
    tokens: tuple[object, ...], model: Path, pairs: Path, tmp_path: Path, capfd: Capture
) -> None:
    refused(capfd, UNKNOWN[tokens], *put(tokens, MODEL=model, CELLS=pairs, OUT=tmp_path / "out"))
    assert not files(tmp_path)


VALUES: dict[tuple[object, ...], str] = {
    (): "",
    ("train",): "out",
    ("train", "synthetic"): "out",
    ("predict", "MODEL", "image.tif"): "--out",
    (*TRAIN, "--steps", "many"): "--steps",
    (*TRAIN, "--steps", 0): "steps",
    (*TRAIN, "--rate", "nan"): "rate",
    (*TRAIN, "--patch", 16): "patch",
    (*TRAIN, "--patch", 0, 0): "patch",
    (*TRAIN, "--patch", 8, 8, 8): "patch",
    (*TRAIN, "--betas", 1, 2): "betas",
    (*TRAIN, "--width", 0): "width",
    (*TRAIN, "--low", 80, "--high", 20): "percentiles",
    (*TRAIN, "--channels", 3): "channels",
    (*TRAIN, "--channels"): "channels",
    (*TRAIN, "--options.density", 1): "'density'; it has: ndim",
    (*TRAIN, "--options.ndim", "flat"): "ndim",
    (*TRAIN, "--options", 3): "--options",
    ("predict", "MODEL", "image.tif", "--options.seed", 1, "--out", "OUT"): "--dataset",
    ("evaluate", "a.tif", "b.tif", "--options.seed", 1): "--dataset",
    (*TRAIN, "--weights.affinity", "x"): "--weights.affinity",
    (*TRAIN, "--weights", 3): "--weights",
    (*TRAIN, "--init", "nowhere"): "nowhere",
    (*TRAIN, "--init", "MODEL"): "resunet-tiny",
    (*TRAIN, "--config", "nowhere"): "nowhere",
    (*TRAIN, "--resume"): "nothing to resume",
    ("distill", *TRAIN[1:]): "teacher",
    ("distill", *TRAIN[1:], "--teacher", "nowhere"): "nowhere",
    ("distill", *TRAIN[1:], "--teacher", "MODEL"): "dim",
    ("evaluate", "a.tif"): "truth",
    ("evaluate", "a.tif", "b.tif", "--dataset", "synthetic"): "truth",
    ("evaluate", "a.tif", "b.tif", "--root", "."): "--dataset",
    ("benchmark", "resunet-tiny", "--repeats", 0): "repeats",
    ("benchmark", "resunet-tiny", "--size", 0, 10): "size",
}


@pytest.mark.parametrize("tokens", VALUES, ids=lambda tokens: " ".join(map(str, tokens)))
def test_values_that_cannot_be(
    tokens: tuple[object, ...], model: Path, pairs: Path, tmp_path: Path, capfd: Capture
) -> None:
    if not tokens:
        assert call(capfd) == (0, [])  # the help
        return
    refused(capfd, VALUES[tokens], *put(tokens, MODEL=model, CELLS=pairs, OUT=tmp_path / "out"))
    assert not files(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just words", "settings"),
        ("- a\n- list", "settings"),
        ("stepps: 10", "did you mean 'steps'"),
        ("steps: many", "steps"),
        ("steps: [1, 2]", "steps"),
        ("betas: 0.9", "betas"),
        ("weights: 3", "weights"),
        ("a: b: c: {", "config.yaml"),
        ("\x00", "config.yaml"),
    ],
)
def test_a_configuration_that_cannot_be(text: str, words: str, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "config.yaml").write_text(text)
    refused(capfd, words, "train", "synthetic", "--config", tmp_path / "config.yaml", "--out", tmp_path / "out")
    assert files(tmp_path) == ["config.yaml"]


# Checkpoints


def other_weights(path: Path) -> None:
    config = {"network": {"name": "resunet-tiny", "in_channels": 1, "dim": 4, "filters": [2, 4, 8]}}
    checkpoint.save(path, torch.nn.Linear(2, 3), config)


def header_only(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**9) + b"{}")


CHECKPOINTS: dict[str, tuple[Spoil, str]] = {
    "missing": (lambda path: path.unlink(), "does not exist"),
    "folder without one": (lambda path: (path.unlink(), path.mkdir()), "holds no model.safetensors"),
    "cut short": (cut, "cut short"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read as a model"),
    "text": (lambda path: path.write_text("weights: none\n" * 9), "cannot be read as a model"),
    "header of a wrong length": (header_only, "cannot be read as a model"),
    "pickle": (lambda path: torch.save({"weight": torch.zeros(3)}, path), "cannot be read as a model"),
    "another program's": (lambda path: safetensors.torch.save_file({"a": torch.zeros(3)}, path), "another program"),
    "other weights": (other_weights, "other weights"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_of_another_kind(case: str, model: Path, pairs: Path, tmp_path: Path, capfd: Capture) -> None:
    spoil, words = CHECKPOINTS[case]
    path, image = tmp_path / "bad.safetensors", tmp_path / "image.tif"
    path.write_bytes(model.read_bytes())
    spoil(path)
    tifffile.imwrite(image, scene()[0])
    data = train(pairs, tmp_path / "out")[1:]
    for tokens in (
        ("predict", path, image, "--out", tmp_path / "out"),
        ("info", path),
        ("distill", *("--student" if token == "--network" else token for token in data), "--teacher", path),
        ("train", *data, "--init", path),
    ):
        refused(capfd, words, *tokens)
        assert not files(tmp_path / "out")


# Disks


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
