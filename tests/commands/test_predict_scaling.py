"""How ``predict`` and ``tune`` scale grey values, and what they say of images that show little."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

import segraft
from segraft.cli import main
from segraft.errors import UserError
from segraft.images.normalisation import Normalisation
from segraft.model import checkpoint
from segraft.model.model import Model
from shared.commands import Capture, refused
from shared.models import a_config, lively

RANGES = ((100.0, 1100.0),)


def cells(level: int, seed: int = 0, dtype: type = np.uint16) -> np.ndarray:
    """Squares of a brightness on a dark background with noise."""
    image = np.random.default_rng(seed).normal(100, 5, (64, 64))
    image[8:24, 8:24] += level
    image[36:56, 30:60] += level / 2
    return image.astype(dtype)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file that knows the range of its training images and their pixel size, 100 nm."""
    config = a_config({"dim": 4, "filters": (2, 4, 8)}, ranges=RANGES, voxel_size=(100.0, 100.0))
    checkpoint.save(tmp_path / "model.safetensors", lively(), config)
    return tmp_path / "model.safetensors"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A dim and a bright image of the same cells."""
    (tmp_path / "images").mkdir()
    for number, level in enumerate((400, 2000)):
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", cells(level, number))
    return tmp_path / "images"


def call(*tokens: object) -> int:
    """Run one command: its exit code."""
    return main([str(token) for token in tokens])


def loaded(model: Path) -> Model:
    return segraft.load(model, "cpu")


def segmented(model: Path, images: Path, out: Path, *options: Any) -> list[np.ndarray]:
    assert call("predict", model, images, "--out", out, "--device", "cpu", *options) == 0
    return [tifffile.imread(out / f"{number}.tif") for number in range(2)]


def originals(images: Path) -> list[np.ndarray]:
    return [tifffile.imread(images / f"{number}.tif") for number in range(2)]


@pytest.mark.parametrize(
    ("option", "values"),
    [("percentiles", (5.0, 95.0)), ("range", (90.0, 700.0)), ("normalise", ("training",))],
)
def test_the_command_line_scales_as_python_does(
    model: Path, images: Path, tmp_path: Path, option: str, values: tuple
) -> None:
    results = segmented(model, images, tmp_path / "out", f"--{option}", *values)
    chosen = values[0] if option == "normalise" else values
    for labels, image in zip(results, originals(images), strict=True):
        assert np.array_equal(labels, loaded(model).predict(image, **{option: chosen}))


def test_the_range_of_the_training_images_is_a_range(model: Path) -> None:
    image = cells(900)
    expected = loaded(model).predict(image, range=RANGES[0])
    assert np.array_equal(loaded(model).predict(image, normalise="training"), expected)


def test_a_series_shares_its_scale(model: Path, images: Path, tmp_path: Path) -> None:
    network, both = loaded(model), originals(images)
    ends = network.measure(both)
    dim, bright = (network.measure([image]) for image in both)
    assert dim[1] < ends[1] < bright[1]
    results = segmented(model, images, tmp_path / "out", "--normalise", "series")
    for labels, image in zip(results, both, strict=True):
        assert np.array_equal(labels, network.predict(image, range=ends))


def test_a_stack_is_a_series_of_its_planes(model: Path, images: Path, tmp_path: Path) -> None:
    both = originals(images)
    tifffile.imwrite(tmp_path / "stack.tif", np.stack(both), imagej=True, metadata={"axes": "TYX"})
    assert call("predict", model, tmp_path / "stack.tif", "--out", tmp_path / "out", "--normalise", "series") == 0
    network = loaded(model)
    expected = [network.predict(image, range=network.measure(both)) for image in both]
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "stack.tif"), np.stack(expected))


def test_a_series_leaves_out_what_cannot_be_read(model: Path, images: Path, tmp_path: Path, capfd: Capture) -> None:
    whole = segmented(model, images, tmp_path / "a", "--normalise", "series")
    (images / "broken.tif").write_bytes(b"no tif")
    assert call("predict", model, images, "--out", tmp_path / "b", "--normalise", "series") == 1
    assert "broken.tif" in capfd.readouterr().err
    for number, labels in enumerate(whole):
        assert np.array_equal(tifffile.imread(tmp_path / "b" / f"{number}.tif"), labels)


def test_the_default_is_the_image_by_itself(model: Path) -> None:
    image = cells(900)
    network = loaded(model)
    expected = network.predict(image, range=network.measure([image]))
    assert np.array_equal(network.predict(image, normalise="image"), expected)
    assert np.array_equal(network.predict(image), expected)


def test_tiles_have_the_scale_of_the_whole_image(model: Path) -> None:
    network = loaded(model)
    image = np.tile(cells(900), (3, 3))
    image[:64] //= 4
    whole = network.affinities(image)[1]
    assert np.allclose(network.affinities(image, tile=64)[1], whole, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--percentiles", 90, 10], "percentiles: got 90.0 and 10.0"),
        (["--range", 500, 500], "range: got 500 500, expected two grey values, the lower first"),
        (["--range", 500], "range: got 500"),
        (["--range", 1, 2, 3, 4], "range: got 2 pairs, expected 1, one for each channel"),
        (["--range", "nan", 500], "range: got nan 500"),
        (["--normalise", "folder"], "normalise"),
        (["--normalise", "series", "--range", 1, 2], "got range and normalise, expected one"),
        (["--normalise", "training", "--percentiles", 1, 99], "expected one of them"),
        (["--range", 1, 2, "--percentiles", 1, 99], "got range and percentiles"),
    ],
)
def test_scales_that_cannot_be(
    model: Path, images: Path, tmp_path: Path, options: list[Any], words: str, capfd: Capture
) -> None:
    refused(capfd, words, "predict", model, images, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_a_model_without_a_record_of_its_training_images(images: Path, tmp_path: Path, capfd: Capture) -> None:
    checkpoint.save(tmp_path / "old.safetensors", lively(), a_config({"dim": 4, "filters": (2, 4, 8)}))
    command = ("predict", tmp_path / "old.safetensors", images, "--out", tmp_path / "out", "--normalise", "training")
    refused(capfd, "does not know the range of its training images", *command)


def test_a_series_of_different_bit_depths(model: Path, images: Path, tmp_path: Path, capfd: Capture) -> None:
    tifffile.imwrite(images / "2.tif", cells(100, dtype=np.uint8))
    command = ("predict", model, images, "--out", tmp_path / "out", "--normalise", "series")
    refused(capfd, "1 channels of uint16 (0) and 1 of uint8 (2)", *command)
    assert not (tmp_path / "out").exists()


def test_models_of_before_take_percentiles_as_they_did(tmp_path: Path) -> None:
    checkpoint.save(
        tmp_path / "a.safetensors", lively(), a_config({"dim": 4, "filters": (2, 4, 8)}, percentiles=(1.0, 99.8))
    )
    scale = loaded(tmp_path / "a.safetensors").config.normalisation
    assert scale == Normalisation((1.0, 99.8), compressed=False)


def test_images_that_show_nothing_are_named(model: Path, images: Path, tmp_path: Path, capfd: Capture) -> None:
    noise = np.random.default_rng(0).normal(100, 5, (64, 64)).astype(np.uint16)
    tifffile.imwrite(images / "empty.tif", noise)
    command = ("predict", model, images, "--out", tmp_path / "out", "--foreground-threshold", 1)
    assert call(*command) == 0
    out = capfd.readouterr().out
    assert "nothing found in 3 of 3 images: 0, 1, empty; where there should be" in out
    assert "no more contrast than noise in 1 of 3 images: empty" in out


def test_nothing_is_said_of_images_as_they_should_be(model: Path, images: Path, tmp_path: Path, capfd: Capture) -> None:
    segmented(model, images, tmp_path / "out", "--foreground-threshold", 0)
    out = capfd.readouterr().out
    assert not any(words in out for words in ("nothing found", "noise", "pixels"))


def test_other_pixels_than_those_of_the_training_are_told(
    model: Path, images: Path, tmp_path: Path, capfd: Capture
) -> None:
    pixels = {"imagej": True, "resolution": (1 / 0.65, 1 / 0.65), "metadata": {"unit": "um"}}
    tifffile.imwrite(images / "coarse.tif", cells(900), **pixels)
    assert call("predict", model, images, "--out", tmp_path / "a") == 0
    told = "other pixels than the training's 100 × 100 nm: coarse (650 × 650 nm); give --voxel-size"
    assert told in capfd.readouterr().out
    assert call("predict", model, images, "--out", tmp_path / "b", "--voxel-size", 650, 650) == 0
    assert "other pixels" not in capfd.readouterr().out


@pytest.mark.parametrize("kind", ["colours", "alpha"])
def test_grey_in_colours_and_with_alpha_is_grey(model: Path, tmp_path: Path, kind: str) -> None:
    grey = Image.fromarray(cells(900).clip(0, 255).astype(np.uint8))
    grey.convert("RGB" if kind == "colours" else "LA").save(tmp_path / "a.png")
    assert call("predict", model, tmp_path / "a.png", "--out", tmp_path / "out") == 0
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "a.tif"), loaded(model).predict(np.asarray(grey)))


def test_of_colours_the_channel_that_is_not_empty_is_named(model: Path, tmp_path: Path, capfd: Capture) -> None:
    blue = np.zeros((64, 64, 3), np.uint8)
    blue[..., 2] = cells(900).clip(0, 255)
    Image.fromarray(blue).save(tmp_path / "dapi.png")
    assert call("predict", model, tmp_path / "dapi.png", "--out", tmp_path / "out") == 2
    assert "choose which (channels, for example 2)" in capfd.readouterr().err


def test_a_series_with_an_empty_channel(tmp_path: Path) -> None:
    config = a_config({"dim": 4, "filters": (2, 4, 8), "in_channels": 2}, percentiles=(1.0, 99.8))
    checkpoint.save(tmp_path / "two.safetensors", lively(2), config)
    (tmp_path / "images").mkdir()
    for number in range(2):
        pair = np.stack([cells(900, number), np.zeros((64, 64), np.uint16)])
        tifffile.imwrite(tmp_path / "images" / f"{number}.tif", pair, photometric="minisblack")
    command = ("predict", tmp_path / "two.safetensors", tmp_path / "images", "--out", tmp_path / "out")
    assert call(*command, "--normalise", "series") == 0
    network = loaded(tmp_path / "two.safetensors")
    assert network.measure([pair])[2:] == (0, 1)


def test_the_range_of_the_training_is_for_its_type_of_pixels(tmp_path: Path, images: Path, capfd: Capture) -> None:
    config = a_config({"dim": 4, "filters": (2, 4, 8)}, ranges=RANGES, pixel_type="uint8")
    checkpoint.save(tmp_path / "narrow.safetensors", lively(), config)
    command = ("predict", tmp_path / "narrow.safetensors", images, "--out", tmp_path / "out", "--normalise", "training")
    assert call(*command) == 2
    assert "got pixels of uint16, expected uint8" in capfd.readouterr().err


def test_boolean_images_of_two_channels_are_counted(model: Path) -> None:
    with pytest.raises(UserError, match="got 2 channels, expected 1"):
        loaded(model).predict(np.stack([cells(900) > 300, cells(900) > 800]))


@pytest.mark.parametrize(
    "scaling",
    [("--range", 90, 700), ("--percentiles", 5, 95), ("--normalise", "series"), ("--normalise", "training")],
    ids=["range", "percentiles", "series", "training"],
)
def test_tuning_scores_what_is_predicted_with_the_same_scale(
    model: Path, images: Path, tmp_path: Path, scaling: tuple[Any, ...], capfd: Capture
) -> None:
    masks = tmp_path / "cells" / "val" / "masks"
    (tmp_path / "cells" / "val").mkdir(parents=True)
    images.rename(masks.parent / "images")
    masks.mkdir()
    truth = np.zeros((64, 64), np.uint8)
    truth[8:24, 8:24], truth[36:56, 30:60] = 1, 2
    for number in range(2):
        tifffile.imwrite(masks / f"{number}.tif", truth)
    settings = {"foreground_threshold": 0.4, "thickness": 0.0, "minimum_size": 5}
    one = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
    of_folder = ("folder", "--root", tmp_path / "cells")
    assert call("tune", model, *of_folder, *one, "--score", "dice", *scaling) == 0
    assert "give predict the same --percentiles, --range or --normalise" in capfd.readouterr().out
    data = ("--dataset", *of_folder, "--split", "val")
    assert call("predict", model, *data, "--out", tmp_path / "out", *one, *scaling) == 0
    assert call("evaluate", tmp_path / "out", *data, "--json", tmp_path / "scores.json") == 0
    expected = json.loads((tmp_path / "scores.json").read_text())["mean"]["dice"]
    only = {name: (value,) for name, value in settings.items()} | {"bias": (0.0,)}
    labelled = {"root": tmp_path / "cells", "score": "dice", **only}
    given = {"percentiles": (5.0, 95.0)} if "--percentiles" in scaling else {"range": (90.0, 700.0)}
    given = {"normalise": scaling[1]} if "--normalise" in scaling else given
    (row,) = (each for each in segraft.tune(model, "folder", **labelled, **given)["tried"] if _is(each, settings))
    assert row["scores"]["dice"] == pytest.approx(expected)
    assert expected > 0


def _is(row: dict[str, Any], settings: dict[str, float]) -> bool:
    return all(getattr(row["segmentation"], name) == value for name, value in settings.items())


def test_tuning_without_a_scale_says_nothing_of_it(model: Path, capfd: Capture) -> None:
    options = ("synthetic", "--options.size", 48, 48, "--options.count", 1, "--images", 1)
    assert call("tune", model, *options, "--foreground-threshold", 0.5, "--minimum-size", 5, "--thickness", 0) == 0
    assert "scale of grey values" not in capfd.readouterr().out
