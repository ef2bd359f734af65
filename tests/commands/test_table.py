"""Tables of the paper: published beside measured, in the terminal and in files; and what is refused."""

from __future__ import annotations

import csv
import errno
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segraft.cli import main
from segraft.commands.table import table
from segraft.errors import UserError
from segraft.paper import TABLES
from segraft.paper.results import Spent
from shared.results import cells, fake

Capture = pytest.CaptureFixture[str]
TEACHER, ALONE, OURS = (f"table2-bbbc039-{end}" for end in ("resunet", "resunet-tiny-none", "resunet-tiny-graph"))
SPENT = Spent(training="package", steps=2000, patch=(256, 256), batch=4, rate=0.003)
CHOSEN: dict[str, Any] = {"dataset": ["bbbc039"], "methods": ["graph"], "rows": ["ResUNet-tiny from ResUNet"]}


def sheets(text: str) -> dict[str, str]:
    """Sheets of a Markdown file by their titles."""
    parts = (part.partition("**\n\n") for part in ("\n" + text).split("\n**")[1:])
    return {title.replace("\\", ""): rest for title, _, rest in parts}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A teacher, two seeds of a student alone, and of ours, on four images."""
    folder = tmp_path / "runs"
    fake(folder, TEACHER, 0.8, spent=replace(SPENT, steps=3000), images=4)
    for seed in (1, 2):
        fake(folder, ALONE, 0.4, seed=seed, spent=SPENT, images=4)
        fake(folder, OURS, 0.5 + 0.1 * seed, seed=seed, spent=SPENT, images=4)
    return folder


def test_published_beside_measured(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    assert table("2", runs=runs, out=tmp_path / "table.md", **CHOSEN) == 0
    text = (tmp_path / "table.md").read_text()
    assert text.startswith("## Table 2: CVPPP, C. elegans (BBBC010) and BBBC039\n")
    of = sheets(text)
    titles = [f"BBBC039V1: {name} ↑" for name in ("AJI", "Dice (our f1)", "F1 (our dice)", "PQ")]
    assert list(of) == [*titles, "How it was measured"]
    row = "ResUNet-tiny from ResUNet, Ours"
    # fake scores: sbd dic aji dice f1 pq, 0.01 from one to the next, aji 0.1 higher by protocol paper
    told = ["0.884", "0.770 ± 0.071", "0.670 ± 0.071", "56 %", "62 %", "+0.250 (+0.250 to +0.250)", "B"]
    assert cells(of[titles[0]], row) == told
    assert cells(of[titles[1]], row)[:4] == ["0.946", "0.690 ± 0.071", "0.690 ± 0.071", "64 %"]
    assert cells(of[titles[0]], "ResUNet, teacher") == ["0.899", "0.920", "0.820", "–", "–", "–", "A"]
    assert cells(of[titles[0]], "ResUNet-tiny, alone")[-5:] == ["0.420 ± 0.000", "–", "–", "–", "B"]
    assert "- Budget B: 2000 steps of 4 × 256×256, package, rate 0.003, scored on 4 images." in text
    assert "not comparable with the published ones" in text
    printed = capsys.readouterr().out
    assert "0.770 ± 0.071" in printed
    assert table("II", runs=runs, **CHOSEN) == 0
    assert capsys.readouterr().out + f"Written: {tmp_path / 'table.md'}\n" == printed


def test_values_one_a_line(runs: Path, tmp_path: Path) -> None:
    table("2", runs=runs, out=tmp_path / "table.csv", dataset=["bbbc039"])
    values = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert len(values) == 24 * 4 * 2
    found = {(each["recipe"], each["metric"], each["protocol"]): each for each in values}
    ours = found[OURS, "aji", "paper"]
    numbers = ("published", "measured", "gap_published", "gap_measured", "minus_alone", "minus_alone_low")
    assert [round(float(ours[name]), 4) for name in numbers] == [0.884, 0.77, 0.5588, 0.625, 0.25, 0.25]
    told: Mapping[str, str] = {
        "table": "2",
        "dataset": "BBBC039V1",
        "column": "AJI",
        "seeds": "1 2",
        "images": "4",
        "comparable": "False",
        "training": "package",
        "patch": "256x256",
        "differs": "smaller",
    }
    assert {name: ours[name] for name in told} == told
    assert float(found[OURS, "aji", "ours"]["measured"]) == pytest.approx(0.67)
    missing = found["table2-bbbc039-mobilenet-none", "aji", "paper"]
    assert (missing["published"], missing["published_status"], missing["measured"]) == ("0.737", "reconstructed", "")


@pytest.mark.parametrize("number", TABLES)
def test_every_table_without_a_run(number: int, tmp_path: Path, capsys: Capture) -> None:
    assert table(str(number), runs=tmp_path / "none", out=tmp_path / "table.md") == 0
    of = sheets((tmp_path / "table.md").read_text())
    paper = [part for part in TABLES[number].parts if part.in_paper]
    expected = sum(len(part.columns) for part in paper) + (number == 6) or 3  # Table I: sizes, multiply-adds, times
    assert len(of) == expected
    assert "comparable" not in capsys.readouterr().out
    if number == 1:
        assert cells(of["multiply-adds of one image, G"], "ResUNet-tiny")[1:] == ["5.76", "5.62", "5.73"]
        assert cells(of["inference time, s"], "MALA")[1:] == ["53.5 ± 2"]
    if number == 2:
        assert cells(of["C.elegans: AJI ↑"], "NestedUNet, teacher")[0] == "n/a"
        assert cells(of["BBBC039V1: AJI ↑"], "MobileNet from ResUNet, Ours") == ["0.771", "21 %\\*"]
    if number == 3:
        assert cells(of["AC3/4: waterz: VOI ↓"], "MALA-tiny from MALA, Ours") == ["1.320", "93 %"]
    if number == 6:
        assert cells(of["CVPPP: sizes at 3 × 544 × 544"], "S1/10, Ours") == ["0.30", "0.295", "5.76", "5.62"]


def test_what_stands_in_the_place_of_the_papers_data_is_shown_where_it_is_measured(tmp_path: Path) -> None:
    for width, start in ((2, 0.5), (3, 0.6)):
        fake(tmp_path, f"table6-bbbc039-resunet-tiny-width-{width}-none", start, spent=SPENT)
    table("6", runs=tmp_path, out=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    title = "BBBC039V1, in place of CVPPP: PQ ↑"
    assert cells(sheets(text)[title], "S1/20, alone")[:2] == ["n/a", "0.550"]
    assert "BBBC039V1, in place of CVPPP: not measured are 6 of 8 rows: S1/20, Ours; S1/15, Ours;" in text
    assert "CVPPP: nothing is measured." in text


def test_budgets_are_never_averaged_together(runs: Path, tmp_path: Path) -> None:
    fake(runs, OURS, 0.9, seed=1, spent=replace(SPENT, steps=20), images=4)
    fake(runs, OURS, 0.9, seed=1, spent=SPENT, images=3)
    table("2", runs=runs, out=tmp_path / "table.md", **CHOSEN)
    text = (tmp_path / "table.md").read_text()
    aji = sheets(text)["BBBC039V1: AJI ↑"]
    lines = [line for line in aji.splitlines() if line.startswith("| ResUNet-tiny from ResUNet, Ours")]
    assert [[cell.strip() for cell in line.split("|")][3] for line in lines] == ["0.770 ± 0.071", "1.020", "1.020"]
    alone = "no run of table2-bbbc039-resunet-tiny-none with the same budget and images"
    assert [f"(budget {letter}): {alone}" in text for letter in "BCD"] == [False, True, True]
    assert "(3 images: budget C; 4 images: budgets A, B, D)" in text
    assert "Budget C: 2000 steps of 4 × 256×256, package, rate 0.003, scored on 3 images." in text


def test_what_is_damaged_is_left_out_and_told(runs: Path, tmp_path: Path, capsys: Capture) -> None:
    (runs / "broken").mkdir()
    (runs / "broken" / "scores.json").write_text('{"recipe"')
    assert main(["table", "2", "--runs", str(runs), "--out", str(tmp_path / "t.md"), "--dataset", "bbbc039"]) == 1
    printed = capsys.readouterr()
    assert f"segraft: {runs / 'broken' / 'scores.json'} holds no scores of a recipe" in printed.err
    assert "Left out: " in (tmp_path / "t.md").read_text()
    assert "0.770 ± 0.071" in printed.out
    alone = tmp_path / "alone"
    (alone / "broken").mkdir(parents=True)
    (alone / "broken" / "scores.json").write_text("")
    assert main(["table", "6", "--runs", str(alone)]) == 2


def test_scores_of_one_protocol_are_shown_and_told(runs: Path, tmp_path: Path) -> None:
    for path in runs.glob(f"{OURS}-*/scores.json"):
        path.write_text(path.read_text().replace('"paper": {', '"another": {'))
    table("2", runs=runs, out=tmp_path / "table.md", **CHOSEN)
    text = (tmp_path / "table.md").read_text()
    shown = cells(sheets(text)["BBBC039V1: AJI ↑"], "ResUNet-tiny from ResUNet, Ours")
    assert shown[1:6] == ["–", "0.670 ± 0.071", "56 %", "–", "–"]
    assert "has no scores by protocol paper; delete its scores.json and run it again" in text


@pytest.mark.parametrize("ending", [".md", ".csv", ".html"])
def test_a_full_disk_leaves_the_file_as_it_was(
    ending: str, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = tmp_path / f"table{ending}"
    path.write_text("before")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "write_text", full)
        assert main(["table", "2", "--runs", str(runs), "--out", str(path), "--dataset", "bbbc039"]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        f"segraft: {path} cannot be written (No space left on device), expected a writable folder with free space; "
        "choose another or make room\n"
    )
    assert "0.770 ± 0.071" in printed.out, "what was computed is printed"
    assert [each.name for each in tmp_path.glob("table*")] == [path.name]
    assert path.read_text() == "before"


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["0"], "unknown table '0'; known: 1, 2, 3"),
        (["VII"], "unknown table 'VII'"),
        (["2", "--out", "table.txt"], "unknown ending of a table's file '.txt'; known: .md, .csv, .html"),
        (["2", "--out", "."], "out: got the folder ., expected a file; give table.md"),
        (["2", "--dataset", "bbbc03"], "did you mean 'bbbc039'?"),
        (["2", "--methods", "kd"], "unknown method 'kd'"),
        (["2", "--rows", "VGG"], "rows: got 'VGG', expected a part of one of ResUNet, teacher"),
        (["1", "--rows", "VGG"], "unknown network of Table 1 'VGG'"),
        (["1", "--steps", "3"], "steps: got 3 for Table 1, which trains nothing; omit it"),
        (["1", "--repeats", "3"], "repeats: got 3 without --run, which times nothing; omit it"),
        (["1", "--run", "--repeats", "0"], "repeats: got 0, expected 1 or more"),
        (["2", "--repeats", "3"], "repeats: got 3 for Table 2, which is not timed; omit it"),
        (["2", "--steps", "3"], "steps: got 3 without --run, which trains nothing; omit it"),
        (["2", "--seeds", "3"], "seeds: got 3 without --run"),
        (["2", "--run"], "root: got none to train what is missing, expected the folder of the data set"),
        (["2", "--run", "--root", "nowhere"], "root: nowhere does not exist"),
        (["2", "--run", "--root", ".", "--seeds", "0"], "seeds: got 0, expected 1 or more"),
        (["2", "--run", "--root", ".", "--steps", "0"], "steps: got 0, expected 1 or more"),
        (["2", "--run", "--root", ".", "--training", "own"], "unknown training 'own'"),
    ],
)
def test_mistakes(tokens: list[str], words: str, tmp_path: Path, capsys: Capture) -> None:
    assert main(["table", *tokens, "--runs", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_python_users_get_the_same(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unknown table"):
        table("seven", runs=tmp_path)
