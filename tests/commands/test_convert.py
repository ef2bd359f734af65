"""``segraft convert`` from the command line: every kind of labels to label images, and these to outlines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import segraft
from segraft.cli import main
from segraft.images.reading import read_labels
from segraft.images.voxel_size import read_voxel_size
from segraft.images.writing import write_image
from segraft.labels.relabel import consecutive
from shared.commands import Capture, call, files, partial, refused

NAMES = [f"{number:02d}" for number in range(10)]
SUFFIX = {"geojson": ".geojson", "roi": ".zip"}


def masks_of(labels: np.ndarray, folder: Path) -> None:
    """Write one png per object, as DSB2018 has them."""
    for number in np.unique(labels[labels > 0]):
        write_image(folder / f"{number}.png", np.where(labels == number, 255, 0).astype(np.uint8))


def same(out: Path, cells: Path) -> None:
    """The label images in ``out`` are those of the cells, up to numbers of objects that others cover wholly."""
    assert [path.stem for path in sorted(out.glob("*.tif"))] == NAMES
    for name in NAMES:
        expected = read_labels(cells / "masks" / f"{name}.tif")
        assert np.array_equal(consecutive(read_labels(out / f"{name}.tif")), consecutive(expected))


@pytest.mark.parametrize("to", ["geojson", "roi", "coco"])
def test_outlines_and_back(cells: Path, tmp_path: Path, capfd: Capture, to: str) -> None:
    assert call(capfd, "convert", cells / "masks", "--out", tmp_path / to, "--to", to) == (0, [])
    expected = ["annotations.json"] if to == "coco" else [f"{name}{SUFFIX[to]}" for name in NAMES]
    assert files(tmp_path / to) == expected
    images = () if to == "coco" else ("--images", cells / "images")  # a COCO file knows the sizes
    assert call(capfd, "convert", tmp_path / to, *images, "--out", tmp_path / "back") == (0, [])
    same(tmp_path / "back", cells)
    shutil.rmtree(cells / "masks")
    (tmp_path / to).rename(cells / "masks")
    for source in (cells, cells / "masks", cells / "masks" / "*"):  # the images beside them
        shutil.rmtree(tmp_path / "back")
        assert call(capfd, "convert", source, "--out", tmp_path / "back") == (0, [])
        assert len(files(tmp_path / "back")) == 10


def test_a_folder_for_each_image(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    for name in NAMES:
        place = tmp_path / "dsb" / name
        write_image(place / "images" / f"{name}.png", grey(cells, name))
        masks_of(read_labels(cells / "masks" / f"{name}.tif"), place / "masks")
    for path in (tmp_path / "dsb" / "03" / "masks").iterdir():
        path.unlink()
    write_image(cells / "masks" / "03.tif", np.zeros((64, 64), np.uint8))
    assert call(capfd, "convert", tmp_path / "dsb", "--out", tmp_path / "out") == (0, [])
    same(tmp_path / "out", cells)
    assert call(capfd, "convert", tmp_path / "dsb", "--out", tmp_path / "coco", "--to", "coco") == (0, [])
    content = json.loads((tmp_path / "coco" / "annotations.json").read_text())
    assert [entry["file_name"] for entry in content["images"]] == [f"{name}.png" for name in NAMES]


def grey(cells: Path, name: str) -> np.ndarray:
    return (read_labels(cells / "images" / f"{name}.tif") // 16).astype(np.uint8)


def test_one_bad_file_does_not_stop_the_rest(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    (cells / "masks" / "03.tif").write_text("no image")
    code, lines = call(capfd, "convert", cells / "masks", "--out", tmp_path / "out", "--to", "geojson")
    assert code == 1
    assert len(lines) == 1
    assert "03.tif" in lines[0]
    assert len(files(tmp_path / "out")) == 9
    code, lines = call(capfd, "convert", cells / "masks", "--out", tmp_path / "coco", "--to", "coco")
    assert (code, len(lines)) == (1, 1)
    assert len(json.loads((tmp_path / "coco" / "annotations.json").read_text())["images"]) == 9
    assert call(capfd, "convert", cells / "masks" / "03.tif", "--out", tmp_path / "no", "--to", "coco")[0] == 2
    assert not files(tmp_path / "no")
    assert not partial(tmp_path)


def test_what_is_there_may_stay(cells: Path, tmp_path: Path, capsys: Capture) -> None:
    for to in ("tif", "coco"):
        tokens = ["convert", str(cells / "masks"), "--out", str(tmp_path / to), "--to", to, "--skip-existing"]
        assert main(tokens) == 0
        assert "10 of 10" in capsys.readouterr().out
        before = {path: path.stat().st_mtime_ns for path in (tmp_path / to).iterdir()}
        if to == "tif":
            (tmp_path / to / "04.tif").unlink()
        assert main(tokens) == 0
        assert ("1 of 10" if to == "tif" else "0 of 10") in capsys.readouterr().out
        after = {path: path.stat().st_mtime_ns for path in (tmp_path / to).iterdir()}
        assert {path for path in before if before[path] != after[path]} <= {tmp_path / to / "04.tif"}


def test_from_python(cells: Path, tmp_path: Path) -> None:
    assert segraft.convert([cells / "masks" / "00.tif"], out=tmp_path / "out", to="roi") == 0
    assert files(tmp_path / "out") == ["00.zip"]


def bow(path: Path) -> Path:
    """Outlines that cross themselves."""
    geometry = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}
    path.write_text(json.dumps([{"geometry": geometry}]))
    return path


def test_bad_input_is_one_line(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    out = ("--out", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.json").write_text("[]")
    masks_of(np.eye(4, dtype=np.uint8), tmp_path / "sizes" / "x")
    write_image(tmp_path / "sizes" / "x" / "2.png", np.ones((3, 4), np.uint8))
    for words, *tokens in (
        ("does not exist", tmp_path / "nowhere", *out),
        ("no labels in", tmp_path / "empty", *out),
        ("name at least one", *out),
        ("unknown format", cells / "masks", *out, "--to", "svg"),
        ("would replace the input", cells / "masks", "--out", cells / "masks"),
        ("would replace the input", cells, "--out", cells / "images"),
        ("would both give", cells / "masks", cells / "masks" / "01.tif", *out),
        ("no image in", cells / "masks", *out, "--images", tmp_path / "empty"),
        ("is no folder", cells / "masks", *out, "--images", tmp_path / "nowhere"),
        ("json of another kind", tmp_path / "x.json", *out),
    ):
        if words in ("unknown format", "name at least one"):
            code, lines = call(capfd, "convert", *tokens)
            assert (code, len(lines)) == (2, 1)
        else:
            refused(capfd, words, "convert", *tokens)
    assert not (tmp_path / "out").exists()
    for words, source in (
        ("no image 'y' beside it", bow(tmp_path / "y.geojson")),
        ("object 1: got an outline that crosses itself", bow(cells / "masks" / "01.geojson")),
        ("2.png: got shape (3, 4), expected (4, 4)", tmp_path / "sizes"),
    ):
        refused(capfd, words, "convert", source, *out)
    assert not files(tmp_path / "out")


def test_volumes_stay_label_images(tmp_path: Path, capfd: Capture) -> None:
    write_image(tmp_path / "x.tif", np.ones((3, 8, 9), np.uint16))
    for to in ("geojson", "roi", "coco"):
        refused(capfd, "expected 2-D labels", "convert", tmp_path / "x.tif", "--out", tmp_path / to, "--to", to)


def calibrated(path: Path, array: np.ndarray, axes: str, **metadata: object) -> Path:
    """A tif of ImageJ with pixels of a quarter and half a micrometre."""
    described = {"axes": axes, "unit": "um", **metadata}
    tifffile.imwrite(path, array, imagej=True, resolution=(2.0, 4.0), metadata=described)
    return path


@pytest.mark.parametrize(
    ("axes", "metadata", "size"),
    [
        ("YX", {}, (250, 500)),
        ("ZYX", {"spacing": 3.0}, (3000, 250, 500)),
        ("TYX", {}, (250, 500)),
    ],
)
def test_label_images_keep_axes_and_pixel_size(
    tmp_path: Path, axes: str, metadata: dict[str, float], size: tuple[float, ...], capfd: Capture
) -> None:
    labels = np.arange(2 * 6 * 8, dtype=np.uint16).reshape(2, 6, 8)
    path = calibrated(tmp_path / "x.tif", labels if len(axes) == 3 else labels[0], axes, **metadata)
    assert call(capfd, "convert", path, "--out", tmp_path / "out") == (0, [])
    with tifffile.TiffFile(tmp_path / "out" / "x.tif") as tif:
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["unit"] == "um"
        assert tif.series[0].axes == axes
        assert np.array_equal(tif.asarray(), tifffile.imread(path))
    assert read_voxel_size(tmp_path / "out" / "x.tif") == pytest.approx(size)


def test_outlines_and_masks_have_the_pixel_size_of_their_image(cells: Path, tmp_path: Path, capfd: Capture) -> None:
    for name in ("01", "02", "03"):
        calibrated(cells / "images" / f"{name}.tif", read_labels(cells / "images" / f"{name}.tif"), "YX")
    for number, to in enumerate(("geojson", "roi", "coco"), 1):
        source = cells / "masks" / f"0{number}.tif"
        assert call(capfd, "convert", source, "--out", tmp_path / to, "--to", to) == (0, [])
        tokens = ("convert", tmp_path / to, "--images", cells / "images", "--out", tmp_path / "out")
        assert call(capfd, *tokens) == (0, [])
    masks_of(read_labels(cells / "masks" / "01.tif"), tmp_path / "masks" / "01")
    masks_of(read_labels(cells / "masks" / "04.tif"), tmp_path / "masks" / "04")
    assert call(capfd, "convert", tmp_path / "masks", "--images", cells / "images", "--out", tmp_path / "more")[0] == 0
    converted = [*sorted((tmp_path / "out").iterdir()), *sorted((tmp_path / "more").iterdir())]
    assert [read_voxel_size(path) for path in converted] == [(250, 500)] * 4 + [None]


def test_a_palette_png_becomes_a_label_image(tmp_path: Path, capfd: Capture) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4) // 5
    picture = Image.fromarray(labels).convert("P")
    picture.save(tmp_path / "x.png")
    assert call(capfd, "convert", tmp_path / "x.png", "--out", tmp_path / "out") == (0, [])
    assert np.array_equal(read_labels(tmp_path / "out" / "x.tif"), labels)
