"""What a table lacks is trained: tiny networks on made-up images, interrupted, failing, without data."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from segraft.cli import main
from segraft.commands import table_runs
from segraft.commands.table import table
from segraft.commands.table_data import Data, find
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.files import digest
from segraft.paper import TABLES, budget
from segraft.paper.gathering import gather
from segraft.paper.scaling import scaled
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings
from shared.networks import SMALL_FILTERS, SMALL_PATCH
from shared.samples import row_of_cells

Capture = pytest.CaptureFixture[str]
pytestmark = pytest.mark.usefixtures("without_reports")
TEACHER, ALONE, OURS = (f"table2-bbbc039-{end}" for end in ("resunet", "resunet-tiny-none", "resunet-tiny-graph"))
CHOSEN: dict[str, Any] = {"dataset": ["bbbc039"], "methods": ["graph"], "rows": ["ResUNet-tiny from ResUNet"]}
TOKENS = ("--dataset", "bbbc039", "--methods", "graph", "--rows", "ResUNet-tiny from ResUNet")
SCALE = 0.001


def tiny(settings: TrainSettings, scale: float) -> TrainSettings:
    """A scale below all scales."""
    filters, patch = SMALL_FILTERS[settings.network], SMALL_PATCH[2]
    small = scaled(settings, scale)
    return replace(small, steps=2, filters=filters, dim=4, patch=patch, workers=0, geometry=("flip",), intensity=())


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Small data and networks; gives the names of the recipes that were run, a growing list."""
    made = {split: row_of_cells(2, name=split) for split in ("train", "val", "test")}
    names: list[str] = []
    reproduce = table_runs.reproduce

    def noted(recipe: Any, order: Any) -> Path:
        names.append(f"{recipe.name} {order.seed}")
        return reproduce(recipe, order)

    monkeypatch.setitem(DATASETS, "bbbc039", lambda root, split: (made[split],))
    monkeypatch.setattr(budget, "scaled", tiny)
    monkeypatch.setattr(table_runs, "reproduce", noted)
    return names


def run(runs: Path, **more: Any) -> int:
    return table("2", runs=runs, run=True, root=runs.parent, scale=SCALE, device="cpu", **CHOSEN, **more)


def test_what_is_missing_is_trained_once(tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        calls = iter(range(9))
        training = table_runs.reproduce

        def interrupted(recipe: Any, order: Any) -> Path:
            if next(calls) == 2:
                raise KeyboardInterrupt
            return training(recipe, order)

        broken.setattr(table_runs, "reproduce", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "runs", seeds=2)
    assert trained == [f"{TEACHER} None", f"{ALONE} None"]
    assert run(tmp_path / "runs", seeds=2, out=tmp_path / "table.csv") == 0
    assert trained[2:] == [f"{OURS} None", f"{ALONE} 556", f"{OURS} 556"], "the teacher once, students with two seeds"
    values = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    seeds = {each["recipe"]: each["seeds"] for each in values}
    assert seeds == {TEACHER: "555", ALONE: "555 556", OURS: "555 556"}
    assert all(each["command"].startswith(f"segraft recipe {each['recipe']} --root {tmp_path}") for each in values)
    ours = [each for each in values if each["recipe"] == OURS]
    assert all(each["measured"] and each["minus_alone"] and each["hardware"] for each in ours)
    assert ours[0]["teacher"] == digest(tmp_path / "runs" / f"{TEACHER}-scale-0.001" / "model.safetensors")
    assert run(tmp_path / "runs", seeds=2) == 0
    assert len(trained) == 5


def test_one_failure_does_not_stop_the_rest(
    tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    training = table_runs.reproduce

    def failing(recipe: Any, order: Any) -> Path:
        if recipe.name == TEACHER:
            raise UserError("no space left; make room")
        return training(recipe, order)

    monkeypatch.setattr(table_runs, "reproduce", failing)
    told = ["table", "2", *TOKENS, "--run", "--root", str(tmp_path), "--runs", str(tmp_path / "runs")]
    told += ["--scale", str(SCALE), "--device", "cpu"]
    assert main(told) == 1
    printed = capsys.readouterr()
    assert f"segraft: {TEACHER}, seed 555: no space left; make room\n" in printed.err
    assert f"segraft: {OURS}, seed 555: its teacher {TEACHER} failed\n" in printed.err
    assert f"Failed: {TEACHER}, seed 555: no space left; make room." in printed.out
    assert trained == [f"{ALONE} None"]
    assert main([*told, "--methods", "teacher", "--rows", "ResUNet, teacher"]) == 2


def test_a_programming_error_is_not_taken_for_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Path:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(table_runs, "reproduce", broken)
    with pytest.raises(RuntimeError, match="shapes differ"):
        run(tmp_path / "runs")


def test_without_data_it_is_told_unless_nothing_is_left(
    tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run(tmp_path / "runs") == 0
    done = len(trained)

    def nothing(root: Any, split: str) -> Any:
        raise UserError(f"{root} has no images; check the path")

    monkeypatch.setitem(DATASETS, "bbbc039", nothing)
    assert run(tmp_path / "runs") == 0
    assert "for want of data" not in capsys.readouterr().err
    assert run(tmp_path / "others") == 2
    printed = capsys.readouterr()
    assert (
        printed.err
        == f"segraft: BBBC039V1: nothing is trained for want of data: {tmp_path} has no images; check the path\n"
    )
    assert len(trained) == done
    assert "0.884" in printed.out, "the table is printed all the same"


def test_runs_of_other_data_are_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run(tmp_path / "runs") == 0
    two = tuple(row_of_cells(2, name=name) for name in ("one", "two"))
    monkeypatch.setitem(DATASETS, "bbbc039", lambda root, split: two)
    before = {path: path.read_text() for path in tmp_path.rglob("scores.json")}
    assert run(tmp_path / "runs") == 2
    error = capsys.readouterr().err
    assert f"{TEACHER}-scale-0.001/scores.json has scores of 1 images, but {tmp_path} holds 2 test images" in error
    assert {path: path.read_text() for path in tmp_path.rglob("scores.json")} == before


def test_a_student_of_another_teacher_is_not_taken_over(tmp_path: Path, trained: list[str], capsys: Capture) -> None:
    assert run(tmp_path / "runs") == 0
    model = RunFolder(tmp_path / "runs" / f"{TEACHER}-scale-0.001").model
    shutil.copyfile(RunFolder(tmp_path / "runs" / f"{ALONE}-scale-0.001").model, model)
    assert run(tmp_path / "runs") == 2
    assert "is of a student of another teacher than the one there" in capsys.readouterr().err
    assert trained[3:] == []


def test_students_of_a_pool_are_others(tmp_path: Path, trained: list[str]) -> None:
    assert run(tmp_path / "runs") == 0
    for _ in range(2):
        assert run(tmp_path / "runs", cache=3) == 0
    assert trained[3:] == [f"{OURS} None"], "once, of the same teacher"
    assert (tmp_path / "runs" / f"{OURS}-scale-0.001-cache-3" / "scores.json").exists()


def test_models_that_were_trained_elsewhere_count(tmp_path: Path, trained: list[str]) -> None:
    assert run(tmp_path / "runs") == 0
    for run_of in gather(tmp_path / "runs").runs:
        path = RunFolder(run_of.folder).scores
        text = path.read_text().replace('"training": "recipe"', '"training": "adopted"')
        path.write_text(text.replace('"adopted": null', '"adopted": "elsewhere"').replace('"seed": 555', '"seed": 7'))
        run_of.folder.rename(run_of.folder.with_name(f"{run_of.result.recipe}-adopted"))
    before = len(trained)
    # the adopted runs tell filters, as adopted models in whole do not: those of students must be the order's
    assert run(tmp_path / "runs", seeds=2) == 0
    assert trained[before:] == [f"{ALONE} None", f"{OURS} None"], "one seed of two is there, and the teacher"


def test_where_data_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(root: Any, split: str, sample: str = "all") -> Any:
        return (row_of_cells(2),)

    for name in ("cremi", "bbbc039"):
        monkeypatch.setitem(DATASETS, name, reader)
    parts = {part.name: part for number in (2, 3) for part in TABLES[number].parts}
    assert find(parts["bbbc039"], tmp_path) == Data("bbbc039", tmp_path, 1)
    for name in ("bbbc039", "cremi"):
        (tmp_path / name).mkdir()
    assert find(parts["bbbc039"], tmp_path).root == tmp_path / "bbbc039"
    of_paper = find(parts["cremi-a"], tmp_path)
    assert of_paper.root == tmp_path / "cremi"
    with pytest.raises(UserError, match=r"holds other data, expected a folder fib25 in it; make one"):
        find(parts["fib25"], tmp_path, [of_paper])
    (tmp_path / "fib25").mkdir()
    assert find(parts["fib25"], tmp_path, [of_paper]).root == tmp_path / "fib25"
