"""The list of what to proofread, from the command line."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile

import segraft
from segraft.cli import main
from segraft.errors import UserError
from segraft.images.reading import read_image, read_labels
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.commands import refused, truncated
from shared.models import a_config, lively

Capture = pytest.CaptureFixture[str]
CPU = ("--device", "cpu")


def saved(path: Path, changed: bool = False, **config: object) -> Path:
    """The file of a model that finds objects in noise; a ``changed`` one finds others."""
    network = lively()
    if changed:
        network.embedding.bias.data += 0.2
        network.foreground[-1].bias.data -= 0.1
    checkpoint.save(path, network, a_config({"dim": 4, "filters": (2, 4, 8)}, **config))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of three images of noise."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 4000, (48, 56)).astype(np.uint16)
        tifffile.imwrite(folder / f"{number}.tif", noise)
    return folder


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "proofread.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_two_models_give_a_list_a_picture_and_maps(tmp_path: Path, pictures: Path, capsys: Capture) -> None:
    first, second = saved(tmp_path / "a.safetensors"), saved(tmp_path / "b.safetensors", changed=True)
    out = tmp_path / "out"
    assert main(["proofread", str(first), str(pictures), "--other", str(second), "--out", str(out), *CPU]) == 0
    listed = rows(out)
    scores = [float(row["score"]) for row in listed]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0
    for name in "012":
        labels = read_labels(out / "labels" / f"{name}.tif")
        own = [row for row in listed if row["image"] == name and row["id"] != "0"]
        assert sorted(int(row["id"]) for row in own) == [*range(1, int(labels.max()) + 1)]
        for row in own:
            box = tuple(slice(int(row[f"min_{axis}"]), int(row[f"max_{axis}"])) for axis in "yx")
            assert (labels[box] == int(row["id"])).sum() == int(row["area"])
        disagreement = read_image(out / "maps" / f"{name}.tif")
        assert disagreement.shape == labels.shape
        assert 0 < disagreement.max() <= 1
        assert read_image(out / "maps" / f"{name}.png").shape == (96, 112, 3)
    assert read_image(out / "proofread.png").shape[0] > 100
    printed = capsys.readouterr().out
    assert "3 of 3 images compared" in printed
    assert f"{len(listed)} objects, the most doubtful first" in printed


def test_the_same_model_twice_has_no_doubt(tmp_path: Path, pictures: Path) -> None:
    model = saved(tmp_path / "a.safetensors")
    assert segraft.proofread(model, [pictures], other=model, out=tmp_path / "out", device="cpu") == 0
    assert {(row["score"], row["other"]) for row in rows(tmp_path / "out")} == {("0.0000", "agrees")}
    assert not (tmp_path / "out" / "proofread.png").exists()


def test_one_model_alone_looks_at_turned_images(tmp_path: Path, pictures: Path) -> None:
    model = saved(tmp_path / "a.safetensors")
    assert segraft.proofread(model, [pictures / "0.tif"], out=tmp_path / "out", pictures=0, device="cpu") == 0
    assert any(float(row["score"]) > 0 for row in rows(tmp_path / "out"))
    assert not (tmp_path / "out" / "proofread.png").exists()


def test_a_data_set_is_compared(tmp_path: Path, cells: Path) -> None:
    model = saved(tmp_path / "a.safetensors")
    out = tmp_path / "out"
    assert segraft.proofread(model, dataset="folder", root=cells, out=out, device="cpu") == 0
    assert {path.name for path in (out / "labels").iterdir()} == {path.name for path in (out / "maps").glob("*.tif")}


def test_a_bad_image_does_not_stop_the_rest(tmp_path: Path, pictures: Path, capfd: Capture) -> None:
    truncated(pictures / "1.tif")
    tifffile.imwrite(pictures / "stack.tif", np.zeros((3, 48, 56), np.uint16), imagej=True, metadata={"axes": "TYX"})
    model = saved(tmp_path / "a.safetensors")
    out = tmp_path / "out"
    assert main(["proofread", str(model), str(pictures), "--out", str(out), *CPU]) == 1
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2
    assert "1.tif" in said[0]
    assert "got a stack of 3 planes" in said[1]
    assert {row["image"] for row in rows(out)} == {"0", "2"}


def test_where_all_fail_nothing_is_listed(tmp_path: Path, capfd: Capture) -> None:
    truncated(tmp_path / "only.tif")
    model = saved(tmp_path / "a.safetensors")
    out = tmp_path / "out"
    assert main(["proofread", str(model), str(tmp_path / "only.tif"), "--out", str(out), *CPU]) == 2
    assert "0 of 1" in capfd.readouterr().out
    assert not list(out.iterdir())


def test_no_result_takes_the_place_of_another_or_of_an_image(tmp_path: Path, pictures: Path, capfd: Capture) -> None:
    twin = tmp_path / "out" / "labels" / "0.tif"
    twin.parent.mkdir(parents=True)
    twin.write_bytes((pictures / "0.tif").read_bytes())
    before = twin.read_bytes()
    words = ("proofread", saved(tmp_path / "a.safetensors"), twin)
    refused(capfd, "would both give", *words, pictures / "0.tif", "--out", tmp_path / "new", *CPU)
    refused(capfd, "would replace the input", *words, "--out", tmp_path / "out", *CPU)
    assert twin.read_bytes() == before
    assert not (tmp_path / "new").exists()


def test_mistakes_are_told_before_an_image_is_read(tmp_path: Path, pictures: Path, capfd: Capture) -> None:
    model = saved(tmp_path / "a.safetensors")
    other = saved(tmp_path / "b.safetensors", offsets=((-2, 0),))
    solid = create_network("mala", 1, 4, (2, 3, 4))
    checkpoint.save(
        tmp_path / "c.safetensors", solid, a_config({"name": "mala", "dim": 4, "filters": (2, 3, 4)}, ndim=3)
    )
    words = ("proofread", model, pictures, "--out", tmp_path / "out", *CPU)
    refused(capfd, "expected some in common", *words, "--other", other)
    refused(capfd, "one of 2 axes and one of 3", *words, "--other", tmp_path / "c.safetensors")
    refused(capfd, "nothing.safetensors", *words, "--other", tmp_path / "nothing.safetensors")
    refused(capfd, "neither files nor a data set", "proofread", model, "--out", tmp_path / "out", *CPU)
    refused(capfd, "pictures: got -1", *words, "--pictures", "-1")
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="does not exist"):
        segraft.proofread(model, [tmp_path / "none"], out=tmp_path / "out", device="cpu")


def test_a_volume_has_a_map_of_numbers(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 255, (8, 36, 40)).astype(np.uint8)
    np.save(tmp_path / "volume.npy", volume)
    described = {"name": "mala-tiny", "dim": 4, "filters": (3, 4, 5)}
    deep = a_config(described, ndim=3, segmentation={"foreground_threshold": 0.0})
    checkpoint.save(tmp_path / "deep.safetensors", create_network("mala-tiny", 1, 4, (3, 4, 5)).eval(), deep)
    out = tmp_path / "out"
    assert segraft.proofread(tmp_path / "deep.safetensors", [tmp_path / "volume.npy"], out=out, device="cpu") == 0
    listed = rows(out)
    assert {f"{end}_{axis}" for end in ("min", "max") for axis in "zyx"} < set(listed[0])
    assert float(listed[0]["affinity"]) > 0
    assert (
        read_image(out / "maps" / "volume.tif").shape == read_labels(out / "labels" / "volume.tif").shape == (8, 36, 40)
    )
    assert not (out / "maps" / "volume.png").exists()
    assert read_image(out / "proofread.png").ndim == 3
