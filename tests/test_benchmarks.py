"""The benchmarks run, on small cases; their figures are another matter."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from PIL import Image

from segraft.data import open_dataset
from segraft.data.shipped import NUCLEI
from segraft.images.writing import write_labels
from segraft.model import checkpoint, onnx_runner
from segraft.networks import create_network
from segraft.training import module as training
from segraft.types import Sample
from shared.exports import write_pair
from shared.models import a_config

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a benchmark's file defines."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return runpy.run_path(str(BENCHMARKS / f"{name}.py"))


def test_every_benchmark_is_tried_here() -> None:
    assert {path.stem for path in BENCHMARKS.glob("*.py")} == {
        "beyond_memory",
        "campaign",
        "blocks",
        "cheap_steps",
        "compare_scores",
        "graph_losses",
        "intensities",
        "object_sizes",
        "onnx_memory",
        "proofreading",
        "runtimes",
        "segments",
        "tiling",
        "transcription",
    }


def test_scores_of_two_sets_of_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("compare_scores", monkeypatch)
    files = []
    for run, shift in enumerate((0.0, 0.1)):
        images = {f"{k}": dict.fromkeys(module["SCORES"], 0.5 + 0.01 * k + shift) for k in range(8)}
        files.append(tmp_path / f"{run}.json")
        files[-1].write_text(json.dumps({"images": images}))
    runs = ("--runs", "alone", str(files[0]), "--runs", "distilled", str(files[1]))
    monkeypatch.setattr(sys, "argv", ["compare_scores", *runs])
    module["main"]()
    means, differences = capsys.readouterr().out.split("\n\n")
    assert means.startswith(
        "| score | alone | distilled |\n|---|---|---|\n| aji | 0.5350 ± 0.0000 | 0.6350 ± 0.0000 |\n"
    )
    assert differences.startswith("| score | distilled − alone |\n|---|---|\n| aji | +0.1000 (+0.1000 to +0.1000) |\n")


def test_scores_at_other_sizes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    module = load("object_sizes", monkeypatch)
    sample = Sample(np.arange(12, dtype=np.uint8).reshape(1, 3, 4), np.arange(12).reshape(3, 4), "a")
    image, labels = module["resized"](sample, 2.0)
    assert (image.shape, image.dtype, labels.shape) == ((1, 6, 8), np.uint8, (6, 8))
    told = ("--split", "test", "--every", "18", "--factors", "1", "0.5")
    monkeypatch.setattr(sys, "argv", ["object_sizes", "nuclei", "--root", str(NUCLEI), *told])
    module["main"]()
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("| size, 1 images |")
    found = {tuple(cell.strip() for cell in row.split("|")[1:3]): float(row.split("|")[3]) for row in rows}
    assert set(found) == {(f"× {size}", way) for size in ("1", "0.5") for way in ("as it is", "--object-size auto")}
    assert min(found[f"× {size}", "--object-size auto"] for size in ("1", "0.5")) > 0.8


def test_graph_losses_agree_with_their_transcription(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("graph_losses", monkeypatch)
    case = module["Case"](28, 4, bank=4, samples=4)
    assert module["difference"](case) < 1e-5
    times = module["compare"](case, case.plain_terms, case.all_terms)
    assert set(times) == {"plain_s", "ours_s", "ratio"}
    assert set(case.plain_instance_terms()) == set(case.instance_terms())


@pytest.mark.parametrize("method", ["graph", "at"])
def test_steps_with_and_without_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    """The teacher is asked in every step of one kind, and in no other."""
    module, asked, original = load("cheap_steps", monkeypatch), [], training.teacher_output

    def counted(*arguments: Any) -> Any:
        asked.append(1)
        return original(*arguments)

    monkeypatch.setattr(training, "teacher_output", counted)
    sizes = ("--width", "2", "--size", "32", "--batch", "2", "--rounds", "3", "--method", method)
    monkeypatch.setattr(sys, "argv", ["cheap_steps", *sizes, "--json", str(tmp_path / "seconds.json")])
    module["main"]()
    head, alone, cached, whole, gain = capsys.readouterr().out.splitlines()
    assert head.startswith(f"resunet-tiny from resunet of width 2, {method}, 2 × 32 × 32, ")
    assert alone.endswith("1.00 × alone")
    assert (cached.split()[0], whole.split()[0], gain.split()[0]) == ("cached", "teacher", "with")
    assert len(asked) == 4
    seconds = json.loads((tmp_path / "seconds.json").read_text())
    assert list(seconds) == ["alone", "cached teacher", "teacher itself"]
    assert min(seconds.values()) > 0


def test_images_of_any_size_are_mirrored_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("blocks", monkeypatch)
    field = np.arange(12, dtype=np.uint8).reshape(3, 4)
    monkeypatch.setitem(module["write_image"].__globals__, "field", lambda kind: field)
    module["write_image"](tmp_path / "image.zarr", "cells", (7, 10))
    image = zarr.open_array(tmp_path / "image.zarr", mode="r")[:]
    np.testing.assert_array_equal(image[:3, :4], field)
    np.testing.assert_array_equal(image[3:6, 4:8], field[::-1, ::-1])
    np.testing.assert_array_equal(image[6:, 8:], field[:1, :2])


@pytest.mark.slow
def test_what_blocks_cost(tmp_path: Path) -> None:
    """As a process: it starts processes that import it."""
    sizes = ("--sizes", "128,128", "128,256", "--blocks", "64,64", "--workers", "1", "--json", str(tmp_path / "a.json"))
    command = [sys.executable, str(BENCHMARKS / "blocks.py"), "cells", *sizes]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sum(line.startswith("| segmenting | ") for line in lines) == 2
    assert lines[-3].startswith("| 128 × 128 | 0 | in memory | ")
    memory, small, large = json.loads((tmp_path / "a.json").read_text())
    assert memory["objects"] == small["objects"] > 0
    assert [each["blocks"] for each in large["stages"] if each["words"] == "segmenting"] == [8]
    assert small["folders"]["affinities"] > 0
    assert large["cpu"] > large["driver"] > 0


def test_the_gain_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("tiling", monkeypatch)
    network = module["create_network"]("mala", filters=(2, 3, 4))
    small, large = (module["macs_per_voxel"](network, tile) for tile in ((4, 11, 11), (40, 101, 101)))
    assert large < small / 3
    volume = module["np"].zeros((4, 20, 20), "uint8")
    assert module["seconds"](network, volume, (4, 20, 20)) > 0


def test_the_cost_of_whole_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cells: Path
) -> None:
    module, config = load("segments", monkeypatch), a_config({"dim": 4, "filters": (2, 4, 8)})
    checkpoint.save(tmp_path / "model.safetensors", create_network("resunet", dim=4, filters=(2, 4, 8)), config)
    given = ("--model", str(tmp_path / "model.safetensors"), "--images", str(cells / "images"), "--rounds", "1")
    monkeypatch.setattr(sys, "argv", ["segments", *given, "--threads", "1"])
    module["main"]()
    grid, whole, rule, *on_objects = capsys.readouterr().out.splitlines()
    assert grid.endswith(" ms, 1.000 of the grid's time")
    assert whole.startswith("all edges, thickness 2: ")
    assert rule.startswith("fragment rule: ")
    kinds = ("apart", "touching", "with rims")
    assert len(on_objects) == len(kinds)
    for line, kind in zip(on_objects, kinds, strict=True):
        assert line.startswith(f"fragment rule, 200 objects {kind}: ")
    labels, affinities = module["pieces"](20, (80, 90))
    assert len(np.unique(labels)) > 30
    assert len(np.unique(module["absorb"](labels, affinities, 2.0, 0))) == 20


def test_what_a_model_makes_of_intensities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("intensities", monkeypatch)
    model = tmp_path / "model.safetensors"
    checkpoint.save(
        model,
        create_network("resunet-tiny", dim=4, filters=(2, 4, 8)),
        a_config({"name": "resunet-tiny", "dim": 4, "filters": (2, 4, 8)}),
    )
    for number in range(2):
        rng = np.random.default_rng(number)
        labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((64, 64), np.uint8)).astype(np.uint8)
        labels[rng.random(labels.shape) < 0.1] = 0
        for folder, array in (("images", 10 * (labels > 0) + rng.integers(0, 9, labels.shape)), ("masks", labels)):
            (tmp_path / "val" / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(tmp_path / "val" / folder / f"{number}.png")
    for name in [name for name in module["CASES"] if "3000" in name]:
        del module["CASES"][name]
    monkeypatch.setattr(sys, "argv", ["intensities", str(model), "--root", str(tmp_path), "--count", "1"])
    module["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["clean", "debris,", "300"]
    assert sum("objects" in line for line in lines) == len(module["NOISES"]) + 2


def test_runtimes_are_compared_with_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pair(tmp_path)
    told = ["runtimes", str(tmp_path / "model.safetensors"), str(tmp_path / "model.onnx")]
    monkeypatch.setattr(sys, "argv", [*told, "--size", "40", "50", "--repeats", "2"])
    load("runtimes", monkeypatch)["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| 40 × 52 pixels, 2 repeats |")
    assert lines[2].startswith("| model.safetensors | PyTorch, float32 | ")
    assert lines[2].endswith(" | 1.00 × |")
    assert lines[3].startswith("| model.onnx | ONNX Runtime, float32 | ")


def test_what_a_campaign_of_kills_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("campaign", monkeypatch)
    for name in ("one", "other"):
        (tmp_path / name / "0" / "c").mkdir(parents=True)
        (tmp_path / name / "0" / "c" / "0").write_bytes(b"labels")
    checksum = module["checksum"]
    assert checksum(tmp_path / "one") == checksum(tmp_path / "other")
    (tmp_path / "other" / "0" / "c" / "0").rename(tmp_path / "other" / "0" / "c" / "1")
    assert checksum(tmp_path / "one") != checksum(tmp_path / "other")
    assert module["progress"](tmp_path / "nothing") == ("start", 0)
    work = tmp_path / "work" / "network" / "000000"
    work.mkdir(parents=True)
    for name in ("000000000.npz", "000000001.begun"):
        (work / name).touch()
    assert module["progress"](tmp_path / "work") == ("network", 1)
    log = tmp_path / "log"
    log.write_text("2 workers\nsegmenting: 7 blocks in 3 s, 2 tried again, at most 0.28 GB a worker\n")
    assert module["again"](log) == "segmenting 2"


@pytest.mark.slow
def test_a_campaign_of_kills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cells: Path
) -> None:
    given = ("nuclei", str(cells / "images" / "00.tif"), "--out", str(tmp_path / "out"), "--kills", "3", "--seed", "1")
    monkeypatch.setattr(sys, "argv", ["campaign", *given, "--", "--blocks", "16", "--workers", "1"])
    load("campaign", monkeypatch)["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[-1] for line in lines[4:7]] == ["yes |"] * 3
    assert lines[-1].endswith("runs ended with the same files, 3 kills")


def test_memory_of_onnx_runtime(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("onnx_memory", monkeypatch)
    module["measure"].__globals__["SIDES"] = ((64, 64), (80, 64))
    peak, seconds = module["measure"](write_pair(tmp_path) / "model.onnx", True, 1)
    assert 0.05 < peak < 20
    assert seconds > 0
    assert not onnx_runner.session_options(1).enable_mem_pattern


def test_an_image_beyond_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import zarr

    module = load("beyond_memory", monkeypatch)
    module["make"](tmp_path / "image.zarr", (2100, 1500), "float32")
    image = zarr.open_array(tmp_path / "image.zarr", mode="r")
    assert (image.shape, image.dtype) == ((2100, 1500), np.float32)
    assert image[:].std() > 20
    code, peaks, most = module["watch"](
        [sys.executable, "-c", "import time; x = bytearray(b'x') * 50_000_000; time.sleep(0.7)"]
    )
    assert code == 0
    assert [name.split()[0] for name in peaks] == ["driver"]
    assert 50e6 < most < 200e6


def test_what_a_list_for_proofreading_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    module = load("proofreading", monkeypatch)
    labels = np.repeat([[1, 1, 2, 2, 3]], 4, 0)
    truth = np.repeat([[7, 7, 7, 0, 0]], 4, 0)
    ious = module["best_ious"](labels, truth)
    assert [ious[number] for number in (1, 2, 3)] == pytest.approx([2 / 3, 1 / 4, 0])
    wrong = np.arange(100) < 20
    assert module["found"](wrong, 1.0 * wrong) == pytest.approx((1, 0.2))
    assert module["found"](wrong, np.arange(100.0)) == pytest.approx((0, 0.2))
    assert module["found"](wrong, np.zeros(100)) == pytest.approx((0.2, 0.2))
    assert module["found"](wrong, 1.0 * (np.arange(100) < 5)) == pytest.approx(((5 + 5 * 15 / 95) / 10, 0.2))


def test_a_list_for_proofreading_is_read_and_scored(
    tmp_path: Path, cells: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load("proofreading", monkeypatch)
    lines = ["image,id,score,partition,affinity,other,area"]
    for sample in open_dataset("folder", cells, "val"):
        labels = np.where(sample.labels == 1, 9, np.roll(sample.labels, 40, 0))
        write_labels(tmp_path / "labels" / f"{sample.name}.tif", labels)
        lines += [f"{sample.name},{number},{number / 10},0,0,agrees,9" for number in np.unique(labels[labels > 0])]
        lines.append(f"{sample.name},0,1,1,1,adds,9")
    (tmp_path / "proofread.csv").write_text("\n".join(lines))
    tokens = ("--dataset", "folder", "--root", str(cells), "--split", "val")
    monkeypatch.setattr(sys, "argv", ["proofreading", str(tmp_path), *tokens])
    module["main"]()
    counted, _, _, *ranked = capsys.readouterr().out.splitlines()
    assert counted.startswith(f"{len([line for line in lines if ',agrees,' in line])} objects of ")
    assert [line.split(" | ")[0] for line in ranked] == ["| score", "| partition", "| affinity", "| area"]
    assert ranked[0].startswith("| score | 0.0% of them, ")
    assert ": 1.0 × (10% of all wrong)" in ranked[1]
    monkeypatch.setattr(sys, "argv", ["proofreading", str(tmp_path), *tokens, "--least", "9"])
    module["main"]()
    assert capsys.readouterr().out.startswith(counted)
