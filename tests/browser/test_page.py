"""``segraft web`` writes a whole page or none, and refuses models that the page cannot run."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import segraft
from segraft.browser.page import SITE
from segraft.browser.runtime import SHA256
from segraft.cli import main
from segraft.data.shipped import NUCLEI
from segraft.model import model_file, onnx_file
from shared.commands import Capture, refused
from shared.devtools import Browser, served
from shared.exports import write_pair
from shared.runtimes import FAKE, write_runtime


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an exported network, ``small.onnx``, and a runtime, ``runtime``."""
    folder = write_pair(tmp_path_factory.mktemp("exported"), "small")
    write_runtime(folder / "runtime")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def order(exported: Path, out: Path, model: Path | None = None) -> list[str]:
    """The words of the command."""
    chosen = exported / "small.onnx" if model is None else model
    return ["web", str(out), "--model", str(chosen), "--runtime", str(exported / "runtime")]


def changed(exported: Path, path: Path, known: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A copy of the exported network that says something else of itself."""
    path.write_bytes((exported / "small.onnx").read_bytes())
    if changes:
        onnx_file.change(path, **changes)
    if known:
        _, before = onnx_file.read(path)
        geometry = json.loads(before.to_text())
        geometry["geometry"] |= known
        entries = {onnx_file.NETWORK: json.dumps(geometry)}
        path.write_bytes(onnx_file.with_metadata(path, path.read_bytes(), entries))
    return path


def test_the_folder_holds_all_that_the_page_needs(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(order(exported, tmp_path / "page")) == 0
    out = capsys.readouterr().out
    assert re.fullmatch(
        rf"{tmp_path}/page: 0\.\d MB; to look at it, run: python -m http\.server --directory \S+\n", out
    )
    found = files(tmp_path / "page")
    assert found["model.onnx"] == (exported / "small.onnx").read_bytes()
    assert {name: found[f"onnxruntime/{name}"] for name in SHA256} == FAKE
    assert found["samples/SOURCE.md"] == (NUCLEI / "SOURCE.md").read_bytes()
    assert set(files(SITE)) < set(found)
    config, known = onnx_file.read(exported / "small.onnx")
    model = json.loads(found["model.json"])
    assert model["config"] == json.loads(json.dumps(config.to_dict()))
    assert model["geometry"] == json.loads(json.dumps(asdict(known.geometry)))
    assert model["about"].startswith(f"Model small: resunet, {known.parameters:,} parameters, 0.1 MB, trained on grey.")
    assert os.listdir(tmp_path) == ["page"]


def test_whatever_the_page_asks_for_is_in_the_folder(exported: Path, tmp_path: Path) -> None:
    """Of the same folder, by relative names: it works from any place of a server."""
    page = segraft.web(tmp_path / "page", model=exported / "small.onnx", runtime=exported / "runtime")
    held = files(page)
    wanted = set()
    for name, data in held.items():
        if name.endswith((".js", ".html")):
            wanted |= set(
                re.findall(r'(?:from|src=|href=|fetch\(|Worker\(|loadNetwork\(|data-file=) ?"([^"]+)"', data.decode())
            )
    assert {"page.js", "worker.js", "model.json", "model.onnx", "samples/nuclei.png"} <= {
        each.removeprefix("./") for each in wanted
    }
    assert {each.removeprefix("./") for each in wanted} <= set(held)
    assert not re.search(rb"https?://(?!www\.w3\.org|arxiv\.org)", b"".join(files(SITE).values()))


def test_an_earlier_page_is_replaced(exported: Path, tmp_path: Path) -> None:
    assert main(order(exported, tmp_path / "page")) == 0
    (tmp_path / "page" / "model.json").write_text("old", encoding="utf-8")
    (tmp_path / "page" / "page.js").unlink()
    assert main(order(exported, tmp_path / "page")) == 0
    assert set(files(SITE)) < set(files(tmp_path / "page"))
    assert json.loads((tmp_path / "page" / "model.json").read_text(encoding="utf-8"))["about"]
    assert os.listdir(tmp_path) == ["page"]


def test_an_empty_folder_becomes_the_page(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    assert main(order(exported, tmp_path / "page")) == 0
    assert "index.html" in files(tmp_path / "page")


def test_a_folder_of_other_files_is_left_alone(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(order(exported, tmp_path / "page")) == 0
    (tmp_path / "page" / "notes.txt").write_text("mine", encoding="utf-8")
    before = files(tmp_path / "page")
    line = "holds other files (notes.txt), expected a new folder or an earlier page; choose another"
    refused(capsys, line, *order(exported, tmp_path / "page"))
    assert files(tmp_path / "page") == before


def test_a_file_is_left_alone(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "page").write_text("mine", encoding="utf-8")
    refused(capsys, "page is a file, expected a new folder", *order(exported, tmp_path / "page"))
    assert (tmp_path / "page").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("earlier", [False, True])
def test_a_failure_on_the_way_changes_nothing(
    exported: Path, tmp_path: Path, earlier: bool, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The last step fails: the new folder cannot be moved to its place."""
    page = tmp_path / "page"
    if earlier:
        assert main(order(exported, page)) == 0
    before, replace = files(page), os.replace

    def fail(source: Path, target: Path) -> None:
        if str(source).endswith(".part"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail)
    refused(capsys, "page cannot be written (No space left on device)", *order(exported, page))
    assert files(page) == before
    assert os.listdir(tmp_path) == (["page"] if earlier else [])


def test_a_missing_runtime_leaves_no_page(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    words = [*order(exported, tmp_path / "page")[:-1], str(tmp_path)]
    refused(capsys, "lacks ort.wasm.bundle.min.mjs", *words)
    assert os.listdir(tmp_path) == []


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "volumes": (
        {"known": {"ndim": 3, "stride": [1] * 3, "margin": [0] * 3, "minimum": [8] * 3, "halo": [2] * 3}},
        "got 3 axes of space, expected images (2)",
    ),
    "colours": ({"known": {"in_channels": 3}}, "got 3 channels, expected grey images (1)"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_networks_of_other_images_are_refused(exported: Path, tmp_path: Path, name: str, capsys: Capture) -> None:
    changes, message = UNFIT[name]
    model = changed(exported, tmp_path / "a.onnx", **changes)
    refused(capsys, message, *order(exported, tmp_path / "page", model))
    assert os.listdir(tmp_path) == ["a.onnx"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"fill": True}, "got segments that fill everything, expected objects on a background"),
        ({"segmenter": "multicut"}, "got the segmenter multicut, expected mutex"),
    ],
)
def test_other_segmentations_are_refused(
    exported: Path, tmp_path: Path, choice: dict[str, Any], message: str, capsys: Capture
) -> None:
    config, _ = onnx_file.read(exported / "small.onnx")
    model = changed(exported, tmp_path / "a.onnx", segmentation=config.segmentation.changed(**choice))
    line = f"{message}; the page cannot run this model, use segraft predict"
    refused(capsys, line, *order(exported, tmp_path / "page", model))


def test_networks_in_8_bits_are_refused(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    """ONNX Runtime would round otherwise than OpenVINO, which scored them."""
    data = (exported / "small.onnx").read_bytes()
    known = replace(onnx_file.read(exported / "small.onnx")[1], runtime="openvino", precision="int8")
    model = tmp_path / "a.onnx"
    model.write_bytes(onnx_file.with_metadata(model, data, {onnx_file.NETWORK: known.to_text()}))
    refused(capsys, "got numbers in int8, expected float32", *order(exported, tmp_path / "page", model))
    assert os.listdir(tmp_path) == ["a.onnx"]


def test_broken_models_are_refused(exported: Path, tmp_path: Path, capsys: Capture) -> None:
    data = (exported / "small.onnx").read_bytes()
    broken = {
        "cut.onnx": (data[:-100], "was cut short"),
        "graph.onnx": (data.replace(b"Conv", b"Gonv"), "cannot be read as a network"),
        "other.onnx": (b"", "is no ONNX file"),
        "a.safetensors": (data, "expected one that segraft exported; run: segraft export"),
    }
    for name, (held, message) in broken.items():
        (tmp_path / name).write_bytes(held)
        refused(capsys, message, *order(exported, tmp_path / "page", tmp_path / name))
    refused(capsys, "none.onnx does not exist", *order(exported, tmp_path / "page", tmp_path / "none.onnx"))
    assert not (tmp_path / "page").exists()


def test_a_page_that_lacks_a_part_says_so_in_one_line(chromium: Browser) -> None:
    """As where only some files were copied: here the network and all that is known of it are missing."""
    with served(SITE) as address:
        chromium.open(f"{address}index.html")
        line = chromium.wait("document.querySelector('.refused:not([hidden])')?.textContent")
        assert line == "The page lacks model.json (404); make it again with segraft web."
        assert chromium.run("document.querySelector('.choose').hidden")


def test_a_page_whose_runtime_is_damaged_says_so_in_one_line(exported: Path, chromium: Browser, tmp_path: Path) -> None:
    page = segraft.web(tmp_path / "page", model=exported / "small.onnx", runtime=exported / "runtime")
    with served(page) as address:
        chromium.open(address)
        line = chromium.wait("document.querySelector('.refused:not([hidden])')?.textContent")
        assert line.startswith("The page lacks a part, or this browser is too old for it; make the page again")


def test_a_model_that_comes_with_the_package_has_a_name(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "ZOO", tmp_path / "zoo")
    (tmp_path / "zoo").mkdir()
    changed(exported, tmp_path / "zoo" / "round.onnx")
    assert main(order(exported, tmp_path / "page", Path("round"))) == 0
    assert json.loads(files(tmp_path / "page")["model.json"])["about"].startswith("Model round: ")
