"""Tuning: the table's scores are those of ``predict`` with the settings, the best is stored, the weights stay."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import segraft
from segraft import data
from segraft.cli import main
from segraft.commands.tune import tune
from segraft.data import open_dataset
from segraft.data.samples import LazySamples
from segraft.errors import UserError
from segraft.graphs.affinity import ends
from segraft.images.normalisation import Scale
from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import evaluate, summarise
from segraft.model import checkpoint, model_file
from segraft.model.config import Segmentation
from segraft.model.model import Maps, Model
from segraft.model.search import OWN, values_of
from segraft.networks import create_network
from segraft.segment import SEGMENTERS
from segraft.types import Sample
from shared.models import a_config
from shared.samples import field

Capture = pytest.CaptureFixture[str]
FEW: dict[str, Any] = {
    "foreground_threshold": (0.25, 0.4),
    "minimum_size": (0, 9),
    "thickness": (2.0,),
    "device": "cpu",
}


def by_brightness(
    self: Model, image: np.ndarray, scale: Scale, tile: Any, into: np.ndarray, region: Any = None
) -> Maps:
    """What a good network would say of discs of even brightness: affinity falls with the difference."""
    grey = scale(image)[0]
    affinities = np.zeros(into.shape, np.float32)
    for channel, offset in zip(affinities, self.offsets, strict=True):
        here, there = ends(offset)
        channel[here] = 2 * np.exp(-15 * np.abs(grey[here] - grey[there])) - 1
    into[:] = affinities
    return Maps(into, grey.clip(0, 1), None, scale)


@pytest.fixture
def run(tmp_path: Path, cells: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder with its data set; in place of its untrained network ``by_brightness`` predicts."""
    monkeypatch.setattr(Model, "_maps", by_brightness)
    folder = tmp_path / "run"
    network = create_network("resunet", dim=4, filters=(2, 4, 8))
    stored = {"foreground_threshold": 0.9, "minimum_size": 3}
    config = a_config({"dim": 4, "filters": (2, 4, 8)}, percentiles=(1.0, 99.8), segmentation=stored)
    checkpoint.save(folder / "model.safetensors", network, config)
    (folder / "config.yaml").write_text(yaml.safe_dump({"dataset": "folder", "root": str(cells)}))
    return folder


def predicted(run: Path, cells: Path) -> dict[str, float | int]:
    """Scores of the model as it is stored, over the validation images."""
    model = segraft.load(run, "cpu")
    samples = open_dataset("folder", cells, "val")
    return summarise([evaluate(model.predict(sample.image), sample.labels) for sample in samples])


@pytest.mark.parametrize("segmenter", SEGMENTERS)
def test_predict_uses_what_is_stored(run: Path, cells: Path, segmenter: str) -> None:
    before = predicted(run, cells)
    own: dict[str, Any] = dict.fromkeys(OWN[segmenter], (0.4, 0.6))
    result = tune(run, segmenter=segmenter, **FEW, **own)
    stored = model_file.read_config(run).segmentation
    assert stored == result["segmentation"] == result["tried"][0]["segmentation"]
    assert set(values_of(stored)) == {"foreground_threshold", "thickness", "minimum_size", *own}
    assert predicted(run, cells) == result["scores"]
    assert result["before"] == before
    assert result["scores"]["aji"] == max(row["scores"]["aji"] for row in result["tried"])
    given = [row["segmentation"] for row in result["tried"] if row["segmentation"].foreground_threshold < 0.9]
    assert len(given) == 4 * 2 ** len(own), "all combinations of what was given"


def test_the_search_goes_on_until_the_best_lies_inside(run: Path, cells: Path) -> None:
    """The stored threshold of 0.9 is far from good ones, and so is a minimum size of 400 pixels."""
    result = tune(run, device="cpu")
    best = result["segmentation"]
    assert result["scores"]["aji"] > result["before"]["aji"] + 0.1
    assert predicted(run, cells) == result["scores"]
    found = {repr(values_of(row["segmentation"])): row["scores"]["aji"] for row in result["tried"]}
    for beside in (-0.05, 0.05):
        neighbour = values_of(best) | {"foreground_threshold": round(best.foreground_threshold + beside, 4)}
        assert found[repr(neighbour)] <= result["scores"]["aji"]
    again = tune(run, device="cpu")
    assert again["segmentation"] == best
    assert len(again["tried"]) < len(result["tried"])


def test_of_equal_scores_the_stored_settings_stay(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model_file.read_config(run)
    empty = np.zeros((40, 44), np.int32)
    blank = Sample(np.zeros((1, 40, 44), np.uint8), empty, "blank")
    monkeypatch.setitem(data.DATASETS, "blank", lambda root, split: [blank, blank])
    assert tune(run, "blank", device="cpu")["scores"]["aji"] == 1
    assert model_file.read_config(run) == before


def test_images_without_objects_choose_nothing(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    """Else the best would be what removes all segments: the largest minimum size, and larger ones still."""
    before = model_file.read_config(run)
    blank = [replace(field(index), labels=np.zeros((40, 48), int)) for index in (0, 2)]
    monkeypatch.setitem(data.DATASETS, "blank", lambda root, split: blank)
    result = tune(run, "blank", minimum_size=(2000, 4000), foreground_threshold=(0.1,), thickness=(2.0,), device="cpu")
    assert {row["scores"]["n_predicted"] for row in result["tried"]} > {0}
    assert model_file.read_config(run) == before
    out = capsys.readouterr().out
    assert "as it was: no image has an object to choose by" in out
    assert "try beyond" not in out


def test_no_advice_to_go_beyond_what_is_no_better(run: Path, capsys: Capture) -> None:
    """Minimum sizes below that of any disc are worth the same."""
    tune(run, minimum_size=(2, 4), foreground_threshold=(0.25,), thickness=(2.0,), device="cpu")
    assert "try beyond" not in capsys.readouterr().out


def test_settings_with_which_nothing_is_found_are_told(run: Path, capsys: Capture) -> None:
    tune(run, minimum_size=(100_000,), foreground_threshold=(0.3,), thickness=(2.0,), device="cpu", segmenter="waterz")
    assert "true objects is found with the best settings: train longer" in capsys.readouterr().out


@pytest.mark.parametrize("room", [0.0, 4e5])
def test_affinities_that_do_not_fit_are_kept_in_files(run: Path, monkeypatch: pytest.MonkeyPatch, room: float) -> None:
    expected = tune(run, device="cpu", split="train")
    model_file.change(run, segmentation=Segmentation(foreground_threshold=0.9, minimum_size=3))
    kinds: list[type] = []
    segment = Segmentation.segment

    def watched(self: Segmentation, affinities: Any, *rest: Any) -> np.ndarray:
        kinds.append(type(affinities))
        return segment(self, affinities, *rest)

    monkeypatch.setattr(Segmentation, "segment", watched)
    monkeypatch.setattr("segraft.model.trials.IN_MEMORY", room)
    assert tune(run, device="cpu", split="train") == expected
    assert (np.ndarray in kinds) == (room > 0)
    assert len(set(kinds)) == 1 + (room > 0)


def test_settings_reach_the_segmenter(run: Path, cells: Path) -> None:
    result = tune(run, segmenter="waterz", threshold=(0.0, 1.0), boundary=(0.4, 0.6), **FEW)
    counts = {
        (row["segmentation"].settings["threshold"], row["segmentation"].settings["boundary"]): row["scores"][
            "n_predicted"
        ]
        for row in result["tried"]
        if row["segmentation"].minimum_size == 0 and row["segmentation"].foreground_threshold == 0.25
    }
    assert len(counts) == 4
    assert counts[0.0, 0.4] != counts[0.0, 0.6]
    assert counts[0.0, 0.6] > counts[1.0, 0.6]
    assert predicted(run, cells) == result["scores"]


def test_the_weights_stay_bit_for_bit(run: Path) -> None:
    state, config = checkpoint.read(run)
    tune(run, **FEW)
    after, changed = checkpoint.read(run)
    assert state.keys() == after.keys()
    for name, tensor in state.items():
        assert tensor.dtype == after[name].dtype
        assert torch.equal(tensor, after[name])
    assert changed.segmentation != config.segmentation
    assert replace(changed, segmentation=config.segmentation) == config
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "model.safetensors"]


@pytest.mark.parametrize("score", ["voi", "pq"])
def test_lower_or_higher_is_better(run: Path, score: str) -> None:
    result = tune(run, score=score, **FEW)
    best = {"lower": min, "higher": max}[SCORES[score].better]
    assert result["scores"][score] == best(row["scores"][score] for row in result["tried"])
    assert len({row["scores"][score] for row in result["tried"]}) > 1


def test_the_network_runs_once_for_each_image(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    maps = Model._maps
    monkeypatch.setattr(Model, "_maps", lambda self, *given, **named: calls.append(1) or maps(self, *given, **named))
    tune(run, split="train", images=2, device="cpu")
    assert len(calls) == 2


def test_the_table(run: Path, capsys: Capture) -> None:
    result = tune(run, segmenter="multicut", beta=(0.4,), boundary=(0.5,), score="voi", **FEW)
    out = capsys.readouterr().out
    header, *rows = (line.split() for line in out.splitlines() if line.strip(" ─"))
    assert header == [
        "foreground",
        "threshold",
        "thickness",
        "minimum",
        "size",
        "beta",
        "boundary",
        "voi",
        "aji",
        "pq",
        "arand",
    ]
    (best,) = (row for row in rows if row[0] == "best")
    assert float(best[6]) == pytest.approx(result["scores"]["voi"], abs=1e-4)
    (before,) = (row for row in rows if row[0] == "before")
    assert float(before[1]) == pytest.approx(result["before"]["voi"], abs=1e-4)
    assert "4 settings tried; the best 4 are shown" in out
    assert rows[-1][:2] == ["stored", "in"]
    assert "segmenter multicut, foreground threshold" in out.splitlines()[-1]


def test_a_data_set_by_name_and_images_without_labels(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(data.DATASETS, "partly", lambda root, split: LazySamples((0, 1, 2), field))
    result = tune(run, "partly", **FEW)
    model = segraft.load(run, "cpu")
    labelled = [field(0), field(2)]
    expected = summarise([evaluate(model.predict(each.image), each.labels) for each in labelled])
    assert result["scores"] == expected
    monkeypatch.setitem(data.DATASETS, "none", lambda root, split: LazySamples((1,), field))
    with pytest.raises(UserError, match="none with labels"):
        tune(run, "none", **FEW)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"segmenter": "watershed"}, "known: mutex, waterz"),
        ({"score": "n_true"}, "known: sbd"),
        ({"threshold": (0.5,)}, "threshold: got some for the segmenter mutex"),
        ({"segmenter": "waterz", "beta": (0.5,)}, "beta: got some for the segmenter waterz"),
        ({"foreground_threshold": (0.5, 1.5)}, "foreground_threshold: got"),
        ({"foreground_threshold": ()}, "at least one"),
        ({"minimum_size": (-1,)}, "0 or more"),
        ({"segmenter": "multicut", "beta": (float("nan"),)}, "beta: got"),
        ({"images": 0}, "images: got 0"),
        ({"dataset": "nuclei"}, "known: ac34"),
        ({"model": "nowhere"}, "does not exist"),
    ],
)
def test_mistakes_are_answered_and_change_nothing(run: Path, options: dict[str, Any], words: str) -> None:
    before = (run / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match=words) as caught:
        tune(**{"model": run, "device": "cpu", **options})
    assert "\n" not in str(caught.value)
    assert (run / "model.safetensors").read_bytes() == before


def test_a_model_file_alone_needs_a_data_set(run: Path, cells: Path) -> None:
    with pytest.raises(UserError, match="got no data set"):
        tune(run / "model.safetensors", device="cpu")
    result = tune(run / "model.safetensors", "folder", root=cells, images=1, **FEW)
    assert model_file.read_config(run).segmentation == result["segmentation"]


def test_every_segmenter_has_settings_to_search() -> None:
    assert OWN.keys() == SEGMENTERS.keys()


def test_settings_stay_where_nothing_tried_is_better(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = tune(run, **FEW)
    before = model_file.read_config(run).segmentation
    again = tune(run, foreground_threshold=(0.9,), minimum_size=(0,), thickness=(0.0,), device="cpu")
    assert again["segmentation"] == before == first["segmentation"]
    assert model_file.read_config(run).segmentation == before
    assert "as it was: nothing tried has a better pq_pooled" in capsys.readouterr().out


def test_memory_bounds_what_the_network_takes(run: Path) -> None:
    with pytest.raises(UserError, match=r"got 1e-06 GB, expected .* smallest tile"):
        tune(run, max_memory=1e-6, **FEW)
    assert tune(run, max_memory=1.0, **FEW)["scores"] == tune(run, **FEW)["scores"]


def test_a_best_value_at_the_edge_is_told(run: Path, capsys: Capture) -> None:
    told = "is at the edge of what was tried: try beyond it"
    tune(run, foreground_threshold=(0.01, 0.2, 0.99), minimum_size=(0,), thickness=(2.0,), device="cpu")
    assert told not in capsys.readouterr().out
    tune(run, foreground_threshold=(0.2, 0.99), minimum_size=(0,), thickness=(2.0,), device="cpu")
    assert f"the best foreground threshold, 0.2, {told}" in capsys.readouterr().out


def test_a_signal_stores_nothing(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (run / "model.safetensors").read_bytes()

    def interrupted(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("segraft.model.trials.evaluate", interrupted)
    assert main(["tune", str(run), "--device", "cpu"]) == 143
    assert capsys.readouterr().err == "segraft: stopped by SIGTERM\n"
    assert (run / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in run.iterdir()) == ["config.yaml", "model.safetensors"]


def test_the_score_is_that_of_the_runs_training(run: Path) -> None:
    recorded = yaml.safe_load((run / "config.yaml").read_text())
    for monitor, better in (("voi", min), ("aji", max)):
        (run / "config.yaml").write_text(yaml.safe_dump(recorded | {"monitor": monitor}))
        result = tune(run, **FEW)
        scores = [row["scores"][monitor] for row in result["tried"]]
        assert scores[0] == better(scores)
        assert scores == sorted(scores, reverse=better is max)
