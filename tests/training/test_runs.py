"""What a run records, keeps, shows and reports."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import segraft
from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.errors import UserError
from segraft.metrics.scores import SCORES
from segraft.model.latency import Widths
from segraft.model.model import Model
from segraft.model.torch_runner import TorchRunner
from segraft.settings import TrainSettings
from segraft.training.callbacks import Recorder
from segraft.training.recorded import changed as changed_settings
from segraft.training.trainer import Bar
from segraft.training.validation import Validation
from shared.runs import FILES, SETS, SMALL, assert_same_run, checkpoint, history, recorded


def test_what_a_run_leaves_behind(runs: dict[str, Path]) -> None:
    for run in runs.values():
        files = {path.name for path in run.iterdir()}
        assert {name for name in files if not name.startswith("events.out.tfevents")} == FILES
        assert len(files) == len(FILES) + 1
        assert [line["step"] for line in history(run) if "val" not in line] == [1, 3, 6, 8]
        assert [line["step"] for line in history(run) if "val" in line] == [3, 6, 8]


@pytest.mark.usefixtures("without_reports")
def test_a_run_begins_at_the_share_of_foreground(runs: dict[str, Path], tmp_path: Path) -> None:
    """Fresh weights do, those of ``init`` stay as they are."""
    begun: dict[str, float] = {}

    def last_bias(run: Path) -> float:
        return float(segraft.load(run).runner.network.foreground[-1].bias)  # type: ignore[attr-defined]

    for out, init in (("fresh", None), ("tuned", runs["train"])):
        train(**recorded(runs["train"], out=tmp_path / out, steps=1, rate=1e-12, init=init))
        begun[out] = last_bias(tmp_path / out)
    share = sum((sample.labels > 0).mean() for sample in SETS["grey"]["train"]) / len(SETS["grey"]["train"])
    assert begun["fresh"] == pytest.approx(math.log(share / (1 - share)), rel=1e-5)
    assert begun["tuned"] == pytest.approx(last_bias(runs["train"]), rel=1e-5)


def test_a_model_knows_how_large_its_objects_are(runs: dict[str, Path]) -> None:
    sizes = [np.bincount(sample.labels[sample.labels > 0]) for sample in SETS["grey"]["train"]]
    typical = [2 * (np.median(each[each > 0]) / np.pi) ** 0.5 for each in sizes if each.size]
    assert segraft.load(runs["train"]).config.object_size == pytest.approx(np.median(typical), abs=0.06)


@pytest.mark.usefixtures("without_reports")
def test_what_is_trained_with_a_border_fills(runs: dict[str, Path], tmp_path: Path) -> None:
    assert not segraft.load(runs["train"]).config.segmentation.fill
    assert train(**recorded(runs["train"], out=tmp_path / "dense", steps=1, border=1)).config.segmentation.fill
    assert segraft.load(tmp_path / "dense").config.segmentation.fill


def test_what_the_last_checkpoint_holds(runs: dict[str, Path]) -> None:
    state = checkpoint(runs["distill"])
    student = segraft.load(runs["distill"]).runner.network
    bank = {f"distiller.memory.{name}" for name in ("grams", "filled", "cursor")}
    assert set(state["state_dict"]) == {f"network.{name}" for name in student.state_dict()} | bank
    assert state["state_dict"]["distiller.memory.grams"].shape == (5, 2, 4, 4)
    assert int(state["state_dict"]["distiller.memory.cursor"]) == 16
    assert (runs["distill"] / "checkpoints" / "last.ckpt").stat().st_size < 3e6


def test_a_recorded_run_is_repeated_and_changed(runs: dict[str, Path], tmp_path: Path) -> None:
    train(config=runs["train"] / "config.yaml", out=tmp_path / "again")
    assert_same_run(tmp_path / "again", runs["train"])
    train(config=runs["train"], out=tmp_path / "other", steps=1, seed=1)
    assert [line["step"] for line in history(tmp_path / "other")] == [1, 1]
    changed, before = (yaml.safe_load((run / "config.yaml").read_text()) for run in (tmp_path / "other", runs["train"]))
    assert {name for name in changed if changed[name] != before[name]} == {"out", "steps", "seed"}
    with pytest.raises(UserError, match="unknown setting 'stepps'"):
        train(config=runs["train"], out=tmp_path / "third", stepps=1)


def test_changes_to_a_recorded_run() -> None:
    before = {"network": "resunet", "width": 4, "method": "graph", "weights": {"affinity": 5.0, "intra_node": 1.0}}
    before |= {"monitor": "aji", "options": {"seed": 1}}
    changed = changed_settings(before, {"weights": {"affinity": 2.0}, "options": {"ndim": 2}})
    assert changed["weights"] == {"affinity": 2.0, "intra_node": 1.0}
    assert changed["options"] == {"seed": 1, "ndim": 2}
    assert "weights" not in changed_settings(before, {"method": "at"})
    assert "width" not in changed_settings(before, {"filters": (2, 4)})
    assert "monitor" not in changed_settings(before, {"network": "mala"})
    assert changed_settings(before, {"network": "resunet-tiny"})["monitor"] == "aji"
    written_by_hand = {"weights": 3, "monitor": "aji"}
    assert changed_settings(written_by_hand, {"network": "mala", "weights": {"affinity": 2.0}})["monitor"] == "aji"


@pytest.mark.parametrize("monitor", ["pq", "voi"])
def test_the_best_model_is_the_one_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str) -> None:
    weights: dict[int, dict[str, torch.Tensor]] = {}
    validate = Validation.run

    def watched(self: Validation, model: Model) -> dict[str, Any]:
        assert isinstance(model.runner, TorchRunner)
        state = model.runner.network.state_dict()
        weights[len(weights) + 1] = {name: tensor.clone() for name, tensor in state.items()}
        return validate(self, model) | {monitor: [0.4, 0.6, 0.5][len(weights) - 1]}

    monkeypatch.setattr(Validation, "run", watched)
    train("grey", out=tmp_path / "run", **SMALL | {"monitor": monitor, "steps": 3, "validate_every": 1})
    scores = {line["step"]: line["val"][monitor] for line in history(tmp_path / "run") if "val" in line}
    best = max(scores, key=lambda step: SCORES[monitor].rank(scores[step]))
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert best == {"pq": 2, "voi": 1}[monitor]
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights[best].items())


def test_tensorboard_has_terms_and_scores(runs: dict[str, Path]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(runs["distill"])).Reload()
    written = history(runs["distill"])
    for name in ("affinity", "inter_edge"):
        curve = [(event.step, event.value) for event in events.Scalars(f"train/{name}")]
        assert curve == [(line["step"], pytest.approx(line[name])) for line in written if "val" not in line]
    scores = [event.value for event in events.Scalars("val/aji")]
    assert scores == [pytest.approx(line["val"]["aji"]) for line in written if "val" in line]


def test_the_bar_shows_every_term(
    runs: dict[str, Path], tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segraft.training.trainer.has_bars", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    distill(**recorded(runs["distill"], out=tmp_path / "run", steps=5, validate_every=4))
    shown = capfd.readouterr().out
    for name in ("aff", "fg", "i.node", "i.edge", "i.aff", "x.edge", "x.aff", "pq_pooled"):
        assert f" {name}=" in shown
    assert "5/5" in shown


def test_without_a_terminal_a_line_per_validation(
    runs: dict[str, Path], tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", steps=5, validate_every=4))
    out, err = capfd.readouterr()
    assert out.splitlines()[0].startswith(f"{tmp_path / 'run'}: 5 steps done, best pq_pooled ")
    lines = err.splitlines()
    assert [line.partition(" pq_pooled ")[0] for line in lines] == [f"step {k} of 5: validation" for k in (4, 5)]
    monkeypatch.setattr("segraft.terminal.progress.EVERY", 0)
    distill(**recorded(runs["distill"], out=tmp_path / "all", steps=3, validate_every=3))
    *_, validation, last = capfd.readouterr().err.splitlines()
    assert validation.startswith("step 3 of 3: validation pq_pooled ")
    assert re.fullmatch(r"step 3 of 3(, \w+ [-.\de+]+){7}, 0 s left", last)
    for term in ("affinity", "foreground", "intra_node", "inter_edge"):
        assert f", {term} " in last


def test_the_bar_counts_on_after_a_resumption(tmp_path: Path) -> None:
    settings = TrainSettings(dataset="grey", out=tmp_path).for_dimension(2)
    progress = Bar(Recorder(settings, dict, list))
    progress._trainer = lightning.Trainer(max_steps=7, logger=False, accelerator="cpu", enable_model_summary=False)
    assert progress.total_train_batches == 7


def test_a_run_survives_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("segraft.reporting.page.available", lambda: True)
    monkeypatch.setattr("segraft.training.run.write_run_report", fails)
    train("grey", out=tmp_path / "run", **SMALL)
    assert f"the report of {tmp_path / 'run'} could not be drawn: no space left\n" in capsys.readouterr().err
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.usefixtures("without_reports")
def test_a_latency_is_recorded_as_the_width_that_it_stands_for(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Widths, "widest", lambda self, limit: round(self.of(2) < 60) * 2)
    student = distill(config=runs["distill"], out=tmp_path / "run", latency=50.0, image_size=(32, 48), steps=1)
    assert student.config.network.filters == (2, 4, 8, 16, 32)
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text(encoding="utf-8"))
    assert (settings["width"], settings["latency"], settings["image_size"]) == (2, None, None)
    said = capsys.readouterr().err
    assert "width 2 is the widest within 50 ms for 32 × 48 pixels" in said
    assert re.search(r"in PyTorch: 2: \d+ ms", said)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"latency": 5.0, "width": 2}, "got both a latency and a width or filters"),
        ({"image_size": (32, 32)}, "got an image size without a latency"),
        ({"latency": 5.0, "devices": 2}, "got a latency and 2 devices, expected 1, .* give the --width that one finds"),
    ],
)
def test_latencies_that_cannot_be(options: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason):
        distill("grey", teacher=tmp_path, out=tmp_path / "run", **options)
