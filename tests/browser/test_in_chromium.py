"""The whole page in a headless browser: what it finds is what Python finds, and nothing leaves this machine."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import tifffile
from PIL import Image

import segraft
from segraft.browser.runtime import cached_files
from segraft.data.shipped import NUCLEI, TEACHER_FILE
from segraft.images.reading import read_image, read_labels
from segraft.labels.measured_objects import measure
from segraft.model.model import Model
from shared.devtools import Browser, served
from shared.runtimes import write_runtime
from shared.shipped import CROPS

pytestmark = pytest.mark.slow
ALIKE = 0.99
"""AJI of the page's labels and Python's at least: sums round otherwise in WebAssembly."""
ENDED = "Boolean(document.querySelector('.result[aria-busy=false]')?.offsetParent)"
REFUSED = "document.querySelector('.refused:not([hidden])')?.textContent"
TEXT = "document.querySelector('{}').textContent"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the network that comes with the package."""
    folder = tmp_path_factory.mktemp("web")
    runtime = cached_files()
    if not runtime:
        pytest.skip("no onnxruntime-web in the cache: run segraft web once")
    network = segraft.export(TEACHER_FILE, out=folder / "nuclei.onnx", images=CROPS[:2])
    return segraft.web(folder / "page", model=network, runtime=write_runtime(folder / "runtime", runtime))


@pytest.fixture(scope="module")
def model(page: Path) -> Model:
    return segraft.load(page / "model.onnx", device="cpu")


@pytest.fixture(scope="module")
def address(page: Path) -> Iterator[str]:
    with served(page) as served_at:
        yield served_at


@pytest.fixture
def opened(chromium: Browser, address: str, tmp_path: Path) -> Iterator[Browser]:
    """The page, loaded anew; it must complain of nothing and ask for nothing from elsewhere."""
    chromium.requests.clear()
    chromium.complaints.clear()
    chromium.save_downloads(tmp_path / "downloads")
    chromium.open(address)
    chromium.wait(f"location.href === '{address}' && document.querySelector('footer')?.textContent")
    yield chromium
    assert chromium.complaints == []
    assert {urlsplit(each).hostname for each in chromium.requests if not each.startswith("blob:")} == {"127.0.0.1"}
    assert any(each.endswith(".wasm") for each in chromium.requests)


def mosaic(rows: int, columns: int) -> np.ndarray:
    """Many nuclei: crops side by side."""
    crops = [read_image(path) for path in CROPS[: rows * columns]]
    return np.block([crops[row * columns : (row + 1) * columns] for row in range(rows)])


def images(folder: Path) -> dict[str, Path]:
    """Files of 8 and 16 bits and colours that are grey, whole and in tiles."""
    deep = mosaic(2, 3)[: 2 * 240, :700].astype(np.uint16) * 190 + 300
    tifffile.imwrite(folder / "deep.tif", deep, compression="lzw", predictor=2)
    Image.fromarray(np.stack([read_image(CROPS[5])[:, :201]] * 3, axis=-1)).save(folder / "grey.png")
    tifffile.imwrite(folder / "large.tif", mosaic(3, 6)[:, :1500], compression="zlib")
    return {"crop": CROPS[3], **{path.stem: path for path in folder.glob("*.*")}}


def downloaded(browser: Browser, what: str, path: Path) -> Path:
    browser.run(f"document.querySelector('[data-what={what}]').click()")
    browser.wait_for_file(path)
    return path


@pytest.mark.parametrize("name", ["crop", "deep", "grey", "large"])
def test_labels_and_table_are_those_of_python(opened: Browser, model: Model, tmp_path: Path, name: str) -> None:
    path = images(tmp_path)[name]
    opened.choose("input[type=file]", path)
    opened.wait(ENDED)
    found = read_labels(downloaded(opened, "labels", tmp_path / "downloads" / f"{path.stem}-labels.png"))
    expected = model.predict(read_image(path))
    assert segraft.evaluate(found, expected)["aji"] >= ALIKE
    assert len(np.unique(found)) == found.max() + 1 > 10
    assert int(opened.run(TEXT.format(".count output"))) == found.max()
    table = downloaded(opened, "table", tmp_path / "downloads" / f"{path.stem}.csv")
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, measured in zip(rows, measure(found), strict=True):
        assert {key: float(value) for key, value in row.items()} == pytest.approx({key: measured[key] for key in row})


def test_the_threshold_segments_again_without_the_network(opened: Browser, model: Model, tmp_path: Path) -> None:
    opened.run("document.querySelector('[data-file$=\"crowded.png\"]').click()")
    opened.wait(ENDED)
    seconds = opened.run(TEXT.format(".seconds")).partition(" · ")[0]
    opened.run("const s = document.querySelector('#threshold'); s.value = 0.9; s.dispatchEvent(new Event('input'))")
    opened.wait(ENDED)
    found = read_labels(downloaded(opened, "labels", tmp_path / "downloads" / "crowded-labels.png"))
    image = read_image(next((NUCLEI / "test" / "images").glob("IXMtest_F12*")))
    expected = model.predict(image, foreground_threshold=0.9)
    assert segraft.evaluate(found, expected)["aji"] >= ALIKE
    assert np.count_nonzero(expected) < np.count_nonzero(model.predict(image))
    assert opened.run(TEXT.format(".seconds")).partition(" · ")[0] == seconds
    assert sum(each.endswith("model.onnx") for each in opened.requests) == 1


def test_a_broken_file_is_told_in_one_line_and_the_next_image_is_segmented(opened: Browser, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(CROPS[0].read_bytes()[:5000])
    opened.choose("input[type=file]", tmp_path / "broken.png")
    line = opened.wait(REFUSED)
    assert line.startswith("broken.png cannot be read (cut short), expected an image")
    assert "\n" not in line
    assert opened.run("document.querySelector('.result').hidden")
    opened.choose("input[type=file]", CROPS[0])
    opened.wait(ENDED)
    assert opened.run("document.querySelector('.refused').hidden")


def test_a_newer_image_takes_the_place_of_one_that_is_not_done(opened: Browser, model: Model, tmp_path: Path) -> None:
    opened.choose("input[type=file]", images(tmp_path)["large"])
    opened.wait("document.querySelector('.image').width === 1500")
    opened.choose("input[type=file]", CROPS[3])
    opened.wait(ENDED)
    count = int(opened.run(TEXT.format(".count output")))
    assert opened.run("document.querySelector('.image').width") == 256
    assert abs(count - model.predict(read_image(CROPS[3])).max()) <= 1


def test_of_several_files_the_first_is_taken_and_that_is_told(opened: Browser) -> None:
    opened.run("document.querySelector('#file').multiple = true")  # as when they are dropped
    opened.choose("#file", *CROPS[:3])
    opened.wait(ENDED)
    assert opened.run(TEXT.format("figcaption")) == f"{CROPS[0].name}, 256 × 256 pixels; the first of 3 files"


def test_an_image_without_objects(opened: Browser, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((64, 50), np.uint8)).save(tmp_path / "black.png")
    opened.choose("input[type=file]", tmp_path / "black.png")
    opened.wait(ENDED)
    assert opened.run(TEXT.format(".count")).split() == ["0", "objects"]
    assert "it shows no more than noise" in opened.run(TEXT.format("figcaption"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_the_window_and_the_scheme(opened: Browser, address: str, width: int, scheme: str) -> None:
    opened.open(address + "?", width, scheme=scheme)
    opened.wait("location.search === '' && document.querySelector('footer')?.textContent")
    opened.choose("input[type=file]", CROPS[0])
    opened.wait(ENDED)
    assert opened.run("document.documentElement.scrollWidth") <= width
    paper = opened.run("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 24, 28)"}[scheme]
    assert opened.run(
        "document.querySelector('.outlines').getContext('2d').getImageData(0, 0, 900, 900).data.some(v => v)"
    )


def test_without_webassembly_it_says_so(chromium: Browser, address: str) -> None:
    script = chromium.page("Page.addScriptToEvaluateOnNewDocument", source="delete globalThis.WebAssembly")
    try:
        chromium.open(address)
        assert chromium.wait(REFUSED).startswith("This browser has no WebAssembly")
    finally:
        chromium.page("Page.removeScriptToEvaluateOnNewDocument", **script)
