"""Models that were trained elsewhere become runs of recipes, unless they are of another experiment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segraft.cli import main
from segraft.commands import reproducing
from segraft.commands.recipe import recipe
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.files import digest
from segraft.graphs.offsets import OFFSETS_2D
from segraft.model import checkpoint, model_file
from segraft.model.config import ModelConfig, NetworkConfig
from segraft.networks import create_network
from segraft.paper.gathering import gather
from segraft.paper.results import groups, read
from shared.samples import row_of_cells

STUDENT, ALONE = (f"table2-bbbc039-resunet-tiny-{method}" for method in ("graph", "none"))
NARROW = "table6-bbbc039-resunet-tiny-width-2-graph"
TRAINING = {"dataset": "bbbc039", "steps": 30, "batch": 4, "patch": [32, 32], "seed": 7}


@pytest.fixture(autouse=True)
def _data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "bbbc039", lambda root, split: (row_of_cells(2, 1, split),))


def model(path: Path, name: str = "resunet-tiny", width: int | None = None, **training: Any) -> Path:
    """A model file of a network that learnt nothing."""
    filters = None if width is None else tuple(width * k for k in (1, 2, 4, 8, 16))
    network = NetworkConfig(name, filters=filters)
    told = {key: value for key, value in (TRAINING | training).items() if value is not None}
    checkpoint.save(
        path, create_network(**vars(network)), ModelConfig(network=network, offsets=OFFSETS_2D, training=told)
    )
    return path


def test_a_file_becomes_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, runs = model(tmp_path / "m.safetensors"), tmp_path / "runs"
    told = ["--root", str(tmp_path), "--out", str(runs), "--device", "cpu", "--model", str(file)]
    assert main(["recipe", ALONE, *told]) == 0
    folder = runs / f"{ALONE}-adopted-steps-30-patch-32x32-batch-4-seed-7"
    assert (folder / "model.safetensors").read_bytes() == file.read_bytes()
    result = read(folder / "scores.json")
    assert (result.recipe, result.seed, result.adopted, result.comparable) == (ALONE, 7, str(file), False)
    assert result.differs[:3] == ("crops of 32x32, not 512x512", "batch 4, not 2", "30 of 300000 steps")
    assert "not told by the file" in result.note
    assert result.note.startswith("trained elsewhere: not comparable with the published figure")
    assert result.spent is not None
    assert (result.spent.training, result.spent.steps, result.spent.patch) == ("adopted", 30, (32, 32))
    assert set(result.scores) == {"ours", "paper"}
    assert list(result.images["paper"]["mutex"]) == ["test"]
    assert np.isfinite(result.scores["ours"]["mutex-dense"]["aji"])
    assert result.seconds["training"] is None
    assert "--model" in result.command
    assert result.note in capsys.readouterr().out

    assert main(["recipe", ALONE, *told]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["recipe", ALONE, *told, "--resume"]) == 0


def test_an_interrupted_scoring_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {"root": tmp_path, "out": tmp_path / "runs", "device": "cpu"}
    file = model(tmp_path / "m.safetensors")
    with monkeypatch.context() as broken:
        broken.setattr(reproducing, "score", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            recipe(ALONE, model=file, **given)
    other = tmp_path / "other.safetensors"
    checkpoint.save(other, create_network("resunet-tiny"), model_file.read_config(file))
    with pytest.raises(UserError, match=r"holds another model than .*other\.safetensors"):
        recipe(ALONE, model=other, **given, resume=True)
    out = recipe(ALONE, model=file, **given, resume=True)
    assert out is not None
    assert (out / "scores.json").exists()


def test_seeds_share_a_mean_and_other_budgets_do_not(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for number, changes in enumerate([{}, {"seed": 8}, {"seed": 8, "steps": 60}, {"seed": None}, {"cache": 9}]):
        file = model(tmp_path / f"{number}.safetensors", method="graph", **changes)
        recipe(STUDENT, root=tmp_path, out=runs, model=file, device="cpu")
    found = [[each.seed for each in group] for group in groups([run.result for run in gather(runs).runs], STUDENT)]
    assert sorted(map(len, found)) == [1, 1, 3]
    assert [8] in found
    assert [7] in found, "of a pool"


def test_an_adopted_teacher_teaches(tmp_path: Path, without_reports: None) -> None:
    runs, name = tmp_path / "runs", "table2-bbbc039-resunet"
    # the whole teacher is large: a narrow one stands in its place, as if it were the recipe's
    with pytest.MonkeyPatch.context() as patch:
        from segraft.paper import RECIPES

        small = replace(RECIPES[name], settings=replace(RECIPES[name].settings, width=4))
        patch.setitem(RECIPES, name, small)
        file = model(tmp_path / "t.safetensors", "resunet", 4)
        teacher = recipe(name, root=tmp_path, out=runs, model=file, device="cpu")
        out = recipe(
            STUDENT, root=tmp_path, out=runs, device="cpu", steps=2, patch=(32, 32), batch=1, rate=0.001, seed=1
        )
    assert out is not None
    assert out.name == f"{STUDENT}-steps-2-patch-32x32-batch-1-rate-0.001-teacher-adopted-seed-1"
    assert teacher is not None
    assert not (runs / name).exists(), "no other teacher was trained"
    spent = read(out / "scores.json").spent
    assert spent is not None
    assert spent.teacher == digest(teacher / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "made", "given", "words"),
    [
        (STUDENT, {"name": "mobilenet"}, {}, "got the network mobilenet, expected resunet-tiny, which"),
        (ALONE, {"width": 2}, {}, "got the filters 2x4x8x16x32, expected 4x8x16x32x64"),
        (NARROW, {"method": "graph"}, {}, "got the filters 4x8x16x32x64, expected 2x4x8x16x32"),
        (ALONE, {"dataset": "folder"}, {}, "got the dataset folder, expected bbbc039"),
        (ALONE, {"method": "graph"}, {}, "got the method graph, expected none"),
        (STUDENT, {}, {}, "got the method none, expected graph"),
        (ALONE, {}, {"seed": 3}, "got the seed 7, expected 3"),
        (ALONE, {}, {"steps": 20}, "model: got a model with steps, expected no budget"),
    ],
)
def test_models_of_other_experiments_are_refused(
    name: str, made: dict[str, Any], given: dict[str, Any], words: str, tmp_path: Path
) -> None:
    file = model(tmp_path / "m.safetensors", **made)
    with pytest.raises(UserError, match=words) as error:
        recipe(name, root=tmp_path, out=tmp_path / "runs", model=file, **given)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"no")
    for source, words in (("m.safetensors", "cannot be read as a model"), ("none", "does not exist")):
        with pytest.raises(UserError, match=words):
            recipe(ALONE, root=tmp_path, out=tmp_path / "runs", model=tmp_path / source)
    assert not (tmp_path / "runs").exists()


def test_a_whole_run_folder_tells_everything(tmp_path: Path, without_reports: None) -> None:
    given: dict[str, Any] = {"root": tmp_path, "device": "cpu"}
    own = recipe(ALONE, out=tmp_path / "a", steps=2, patch=(32, 32), batch=1, training="package", **given)
    assert own is not None
    taken = recipe(ALONE, out=tmp_path / "b", model=own, **given)
    assert taken is not None
    assert taken.name == f"{ALONE}-adopted-steps-2-patch-32x32-batch-1-seed-555"
    assert (taken / "config.yaml").exists()
    first, second = (read(folder / "scores.json") for folder in (own, taken))
    assert set(second.differs) >= {"2 of 300000 steps", "schedule cosine, not constant"}
    assert first.scores == second.scores
    assert second.seconds["training"] == first.seconds["training"]
