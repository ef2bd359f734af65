"""``segraft predict`` in blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

import segraft
from segraft.cli import main
from segraft.commands import in_blocks
from segraft.images.reading import read_image, read_labels
from shared.labels import same_partition


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nuclei, 400 × 500 pixels."""
    from segraft.data import open_dataset

    path = tmp_path_factory.mktemp("images") / "nuclei.zarr"
    sample = open_dataset("synthetic", None, "val")[0].image[0]
    pixels = np.tile(sample, (4, 4))[:400, :500]
    zarr.create_array(path, data=pixels, chunks=(128, 128))
    return path


def test_the_labels_are_those_of_the_whole_image(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "labels.zarr"
    asked = ["predict", "nuclei", str(image), "--blocks", "256", "192", "--workers", "1", "--out", str(out)]
    assert main([*asked, "--table", "--outlines"]) == 0
    labels = read_labels(out)
    assert same_partition(labels, segraft.load("nuclei").predict(read_image(image)))
    rows = out.with_suffix(".csv").read_text().splitlines()
    assert len(rows) - 1 == labels.max()
    assert out.with_suffix(".geojson").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.csv", "labels.geojson", "labels.zarr"]
    capsys.readouterr()
    assert main(asked) == 0  # nothing is left to do
    assert "is there, and complete" in capsys.readouterr().err
    assert main([*asked, "--minimum-size", "50"]) == 2
    assert "minimum_size" in capsys.readouterr().err
    assert main([*asked, "--minimum-size", "50", "--skip-existing"]) == 0
    assert "1 already there" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--workers", "1"], ["--scheduler", "tcp://127.0.0.1:9"], ["--parquet"]])
def test_what_only_blocks_know_needs_them(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture, words: list[str]
) -> None:
    assert main(["predict", "nuclei", str(image), "--out", str(tmp_path / "out"), *words]) == 2
    assert f"{words[0][2:]}: got no blocks, expected them with that; add --blocks auto" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--overlay"], "overlay: got blocks"),
        (["--planes", "--tile", "64"], "planes and tile: got blocks"),
        (["--format", "png"], "format png: got blocks"),
        (["--blocks", "100", "100"], "expected multiples of (16, 16)"),
        (["--blocks", "128", "128", "128"], "expected 2 positive numbers"),
        (["--max-memory", "0.1"], "do not fit one worker"),
        (["--scheduler", "tcp://127.0.0.1:9"], "does not answer"),
        (["--scheduler", "tcp://127.0.0.1:9", "--workers", "2", "--max-memory", "2"], "got a number, and a scheduler"),
        (["--workers", "-1"], "workers: got -1, expected 1 or more"),
    ],
)
def test_what_cannot_be_is_one_line(
    image: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    words: list[str],
    answer: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("segraft.blocks.cluster.WAIT", "1s")
    given = words if "--blocks" in words else [*words, "--blocks", "auto"]
    assert main(["predict", "nuclei", str(image), "--out", str(tmp_path / "a.zarr"), *given]) == 2
    error = capsys.readouterr().err
    assert answer in error
    assert "Traceback" not in error
    assert not (tmp_path / "a.zarr").exists()


def test_an_image_that_does_not_fit_is_segmented_in_blocks(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    asked = []
    monkeypatch.setattr(in_blocks, "run", lambda path, image, out, *rest: asked.append(out) or 7)
    assert main(["predict", "nuclei", str(image), "--out", str(tmp_path), "--max-memory", "0.003"]) == 0
    assert asked == [tmp_path / "nuclei.zarr"]
    assert "does not fit 0.003 GB: it is segmented in blocks" in capsys.readouterr().err
    assert main(["predict", "nuclei", str(image), "--out", str(tmp_path), "--max-memory", "2"]) == 0
    assert len(asked) == 1
    assert (tmp_path / "nuclei.tif").is_file()


@pytest.mark.parametrize("words", [["--overlay"], ["--format", "h5"], ["--normalise", "series"], ["--tile", "64"]])
def test_options_without_blocks_are_not_forgotten_where_an_image_does_not_fit(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, words: list[str]
) -> None:
    monkeypatch.setattr(in_blocks.InBlocks, "needed", lambda *_: True)
    assert main(["predict", "nuclei", str(image), "--out", str(tmp_path / "out"), *words]) == 2
    name = " ".join(words) if words[0] in ("--format", "--normalise") else words[0]
    assert f"{name[2:]}: got blocks, which give an OME-Zarr of one image; omit that" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_dask_that_is_not_there_is_one_line(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("segraft.blocks.cluster.find_spec", lambda name: None)
    assert main(["predict", "nuclei", str(image), "--blocks", "auto", "--out", str(tmp_path / "a.zarr")]) == 2
    assert "expected dask; run: pip install 'segraft[blocks]'" in capsys.readouterr().err
    assert not list(tmp_path.glob(".*"))
