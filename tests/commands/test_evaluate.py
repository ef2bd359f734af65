"""``segraft evaluate``: which files are compared, what is printed and written, and what a missing one does."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import segraft
from segraft import data
from segraft.cli import main
from segraft.commands.evaluate import SHOWN, evaluate
from segraft.data import open_dataset
from segraft.data.samples import LazySamples
from segraft.errors import SomeFailed, UserError
from segraft.images.writing import write_image
from segraft.metrics import scoring
from segraft.metrics.protocols import Protocol
from segraft.types import Sample

Capture = pytest.CaptureFixture[str]


def labels(seed: int) -> np.ndarray:
    return np.kron(np.random.default_rng(seed).integers(0, 5, (4, 5)), np.ones((6, 6), np.int32)).astype(np.int32)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions ``0.tif`` to ``2.tif`` and true ``0_masks.tif`` to ``2_masks.tif``."""
    for number in range(3):
        write_image(tmp_path / "predicted" / f"{number}.tif", labels(number))
        write_image(tmp_path / "truth" / f"{number}_masks.tif", labels(number + 100))
    return tmp_path / "predicted", tmp_path / "truth"


def expected(number: int) -> dict[str, float | int]:
    return scoring.evaluate(labels(number), labels(number + 100))


def test_two_folders(folders: tuple[Path, Path]) -> None:
    assert evaluate(*folders) == {str(number): expected(number) for number in range(3)}


def test_two_files(folders: tuple[Path, Path]) -> None:
    pair = folders[0] / "1.tif", folders[1] / "1_masks.tif"
    assert evaluate(*pair) == {"1.tif": expected(1)}


@pytest.mark.parametrize("ending", ["", "_mask", "_masks", "_label", "_labels", "-mask", "_cp_masks", "_MASKS"])
def test_endings_of_masks_do_not_count(ending: str, tmp_path: Path) -> None:
    write_image(tmp_path / "predicted" / "a1_raw.tif", labels(0))
    write_image(tmp_path / "truth" / f"a1{ending}.png", labels(100))
    assert evaluate(tmp_path / "predicted", tmp_path / "truth") == {"a1": expected(0)}


def test_images_beside_their_masks_are_no_truth(folders: tuple[Path, Path]) -> None:
    for number in range(3):
        write_image(folders[1] / f"{number}.tif", np.full((24, 30), 0.5, np.float32))
    assert list(evaluate(*folders)) == ["0", "1", "2"]


def test_two_files_of_one_name(folders: tuple[Path, Path]) -> None:
    write_image(folders[1] / "1_labels.tif", labels(1))
    with pytest.raises(UserError, match="same name '1'"):
        evaluate(*folders)
    (folders[1] / "1_labels.tif").unlink()
    write_image(folders[0] / "1.png", labels(1))
    with pytest.raises(UserError, match="same name '1'"):
        evaluate(*folders)


def test_predictions_without_a_truth_are_left_out(folders: tuple[Path, Path]) -> None:
    (folders[1] / "1_masks.tif").unlink()
    assert list(evaluate(*folders)) == ["0", "2"]


def test_a_missing_prediction_is_reported_and_the_others_are_scored(
    folders: tuple[Path, Path], capsys: Capture
) -> None:
    (folders[0] / "1.tif").unlink()
    with pytest.raises(SomeFailed, match="1 of 3 images could not be scored: 1"):
        evaluate(*folders, json=folders[0] / "scores.json")
    out, err = capsys.readouterr()
    assert len(err.splitlines()) == 1
    assert "1: got no prediction" in err
    assert "mean of 2" in out
    written = json.loads((folders[0] / "scores.json").read_text())
    assert written["mean"] == scoring.summarise([expected(0), expected(2)])


def test_exit_codes(folders: tuple[Path, Path], capsys: Capture) -> None:
    tokens = ["evaluate", *map(str, folders)]
    assert main(tokens) == 0
    (folders[0] / "1.tif").write_text("no image")
    assert main(tokens) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2  # the bad file, and the count
    for path in folders[0].iterdir():
        path.write_text("no image")
    assert main(tokens) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "none of 3 images could be scored" in err.splitlines()[-1]


def test_the_table(folders: tuple[Path, Path], capsys: Capture) -> None:
    evaluate(*folders)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["Protocol", "ours"]
    assert lines[2] == ["image", *SHOWN]
    rows = {line[0]: line[1:] for line in lines if line}
    for number in range(3):
        assert [float(text) for text in rows[str(number)]] == pytest.approx(
            [expected(number)[key] for key in SHOWN], rel=1e-3
        )
    mean = scoring.summarise([expected(number) for number in range(3)])
    assert [float(text) for text in rows["mean"][2:]] == pytest.approx([mean[key] for key in SHOWN], abs=1e-4)


def test_long_names_are_whole_in_a_file_and_leave_the_numbers_whole(tmp_path: Path, capsys: Capture) -> None:
    name = "field_" * 20
    write_image(tmp_path / "a" / f"{name}.tif", labels(0))
    evaluate(tmp_path / "a", tmp_path / "a")
    out = capsys.readouterr().out
    assert name in out
    assert "1.0000" in out
    assert "…" not in out


def test_json_and_csv_hold_all_scores(folders: tuple[Path, Path], tmp_path: Path) -> None:
    files = tmp_path / "deep" / "scores.json", tmp_path / "deep" / "scores.csv"
    evaluate(*folders, json=files[0], csv=files[1])
    mean: dict[str, Any] = scoring.summarise([expected(number) for number in range(3)])
    written = json.loads(files[0].read_text())
    images = {str(number): expected(number) for number in range(3)}
    assert written == {"protocol": "ours", "minimum_true_size": 0, "images": images, "mean": mean}
    with files[1].open(newline="") as file:
        rows = {row.pop("image"): row for row in csv.DictReader(file)}
    assert list(rows) == ["0", "1", "2", "mean"]
    assert {row.pop("protocol") for row in rows.values()} == {"ours"}
    assert {key: float(value) for key, value in rows["mean"].items()} == mean
    for number in range(3):
        assert {key: float(value) for key, value in rows[str(number)].items() if value} == expected(number)
    assert sorted(path.name for path in files[0].parent.iterdir()) == ["scores.csv", "scores.json"]


def test_the_truth_comes_once(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="the truth: got neither files nor a data set"):
        evaluate(folders[0])
    with pytest.raises(UserError, match="the truth: got files and the data set 'synthetic'"):
        evaluate(*folders, dataset="synthetic")
    with pytest.raises(UserError, match="without a data set"):
        evaluate(*folders, root=folders[0])


def _sample(index: int) -> Sample:
    if index == 2:
        raise UserError("the third is damaged")
    return Sample(np.zeros((1, 24, 30)), None if index == 1 else labels(index + 100), str(index))


def test_a_data_set(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(data.DATASETS, "broken", lambda root, split: LazySamples((0, 1, 2), _sample))
    with pytest.raises(SomeFailed, match="2 of 3"):
        evaluate(folders[0], dataset="broken", split="val")
    out, err = capsys.readouterr()
    assert [line.split()[0].strip("─") for line in out.splitlines() if line.strip()] == [
        "Protocol",
        "image",
        "",
        "0",
        "mean",
        "All",
    ]
    assert "mean of 1" in out
    assert "1: got no labels" in err
    assert "broken val image 2: the third is damaged" in err


def test_raw_masks_of_bbbc039_get_a_hint_that_works(real_data: Path, tmp_path: Path, capsys: Capture) -> None:
    root = real_data / "bbbc039"
    samples = open_dataset("bbbc039", root, "test")
    for index in range(2):
        assert samples[index].labels is not None
        tifffile.imwrite(tmp_path / f"{samples[index].name}.tif", samples[index].labels)
    name = samples[0].name
    raw = ["evaluate", str(tmp_path / f"{name}.tif"), str(root / "masks" / f"{name}.png")]
    assert main(raw) == 2
    assert "--dataset bbbc039 --root DIR" in (line := capsys.readouterr().err)
    assert len(line.splitlines()) == 1
    scores = tmp_path / "scores.json"
    hinted = ["--dataset", "bbbc039", "--root", str(root), "--split", "test", "--json", str(scores)]
    assert main(["evaluate", str(tmp_path), *hinted]) == 1  # 48 images have no prediction
    written = json.loads(scores.read_text())
    assert list(written["images"]) == [samples[0].name, samples[1].name]
    assert written["mean"]["aji"] == written["mean"]["pq"] == 1


def by_paper(number: int, minimum: int = 0) -> dict[str, float | int]:
    return scoring.evaluate(labels(number), labels(number + 100), Protocol("paper", True, minimum))


def test_both_protocols_side_by_side(folders: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    files = tmp_path / "scores.json", tmp_path / "scores.csv"
    told = ["--protocol", "both", "--minimum-true-size", "100", "--json", str(files[0]), "--csv", str(files[1])]
    assert main(["evaluate", *map(str, folders), *told]) == 0
    out = capsys.readouterr().out
    assert "Protocol ours\n" in out
    assert "Protocol paper: AJI takes each prediction once, true objects under 100 pixels are left out\n" in out
    ours, paper = ({str(n): score(n) for n in range(3)} for score in (expected, lambda n: by_paper(n, 100)))
    means = [float(line.split()[3]) for line in out.splitlines() if line.split()[:1] == ["mean"]]
    assert means == pytest.approx(
        [np.mean([each["aji"] for each in images.values()]) for images in (ours, paper)], 1e-3
    )
    written = json.loads(files[0].read_text())
    assert [(name, each["protocol"], each["minimum_true_size"]) for name, each in written.items()] == [
        ("ours", "ours", 0),
        ("paper", "paper", 100),
    ]
    assert (written["ours"]["images"], written["paper"]["images"]) == (ours, paper)
    with files[1].open(newline="") as file:
        rows = [(row["protocol"], row["image"], float(row["pq"])) for row in csv.DictReader(file)]
    assert [row[:2] for row in rows] == [(p, i) for p in ("ours", "paper") for i in ("0", "1", "2", "mean")]
    assert rows[4][2] == paper["0"]["pq"]
    assert evaluate(*folders, protocol="both", minimum_true_size=100) == {"ours": ours, "paper": paper}


def test_the_protocol_of_arrays(folders: tuple[Path, Path]) -> None:
    assert segraft.evaluate(labels(1), labels(101)) == expected(1)
    assert segraft.evaluate(labels(1), labels(101), protocol="paper") == by_paper(1)
    both = segraft.evaluate(labels(1), labels(101), protocol="both", minimum_true_size=80)
    assert both == {"ours": expected(1), "paper": by_paper(1, 80)}
    assert evaluate(*folders, protocol="paper") == {str(number): by_paper(number) for number in range(3)}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (["--protocol", "papers"], "papers"),
        (["--minimum-true-size", "25"], "got 25 with the protocol ours"),
        (["--minimum-true-size", "-3", "--protocol", "paper"], "got -3"),
    ],
)
def test_mistakes_in_protocols(told: list[str], words: str, folders: tuple[Path, Path], capsys: Capture) -> None:
    assert main(["evaluate", *map(str, folders), *told]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert words in err
    assert len(err.splitlines()) == 1


def test_small_true_objects_of_bbbc039(real_data: Path, tmp_path: Path) -> None:
    """The truth as the prediction: what the protocol leaves out of it are inventions then."""
    samples = open_dataset("bbbc039", real_data / "bbbc039", "test")
    sample = next(each for each in samples if (np.unique(each.labels, return_counts=True)[1] < 25).any())
    tifffile.imwrite(tmp_path / f"{sample.name}.tif", sample.labels)
    with pytest.raises(SomeFailed):
        evaluate(
            tmp_path,
            dataset="bbbc039",
            root=real_data / "bbbc039",
            protocol="both",
            json=tmp_path / "scores.json",
        )
    written = json.loads((tmp_path / "scores.json").read_text())
    small = int((np.unique(sample.labels, return_counts=True)[1] < 25).sum())
    assert written["paper"]["minimum_true_size"] == 25
    assert written["paper"]["images"][sample.name]["fp"] == small
    assert written["ours"]["images"][sample.name]["fp"] == 0
