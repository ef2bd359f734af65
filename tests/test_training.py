"""Whole trainings on a few small images: stopped = never stopped, and every mistake gets one line."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.strategies import SingleDeviceStrategy
from safetensors.torch import load_file

import segraft
from segraft import training
from segraft.cli import main
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.keeper import Keeper, Stopped
from segraft.learner import Learner
from segraft.settings import MONITORS
from segraft.training import Progress, distill, train
from segraft.types import Sample

PROJECT = Path(__file__).parent.parent
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.usefixtures("without_reports"),
]

SMALL: dict[str, Any] = {
    "network": "resunet-tiny",
    "width": 2,
    "dim": 4,
    "patch": (32, 32),
    "batch": 2,
    "steps": 8,
    "warmup": 2,
    "validate_every": 3,
    "device": "cpu",
    "workers": 0,
    "geometry": ("flip",),
    "intensity": ("noise",),
}
FILES = {"config.yaml", "metrics.jsonl", "model.safetensors", "report.html", "checkpoints"}


def squares(count: int, channels: int = 1, empty: bool = False, labelled: bool = True) -> tuple[Sample, ...]:
    """Images of 40 × 44 pixels with four squares each, or with none."""
    samples = []
    for number in range(count):
        rng = np.random.default_rng((number, channels))
        labels = np.zeros((40, 44), np.int32)
        for cell in range(0 if empty else 4):
            y, x = rng.integers(0, 30, 2)
            labels[y : y + 10, x : x + 10] = cell + 1
        image = rng.poisson(20 + 100 * (labels > 0), (channels, 40, 44)).astype(np.uint16)
        samples.append(Sample(image, labels if labelled else None, f"{number}"))
    return tuple(samples)


SETS: dict[str, dict[str, tuple[Sample, ...]]] = {
    "grey": {"train": squares(4), "val": squares(2)},
    "colour": {"train": squares(3, 3), "val": squares(1, 3)},
    "empty": {"train": squares(2, empty=True), "val": squares(1, empty=True)},
    "unvalidated": {"train": squares(2), "val": ()},
    "unlabelled": {"train": squares(2), "val": squares(2, labelled=False)},
}


@pytest.fixture(scope="module", autouse=True)
def _sets() -> Iterator[None]:
    """Make the images above known as data sets."""
    with pytest.MonkeyPatch.context() as patch:
        for name, splits in SETS.items():
            patch.setitem(DATASETS, name, lambda root, split, splits=splits: splits[split])
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, _sets: None) -> dict[str, Path]:
    """A teacher and a student that were never stopped."""
    root = tmp_path_factory.mktemp("runs")
    train("grey", out=root / "teacher", **SMALL)
    distill("grey", out=root / "student", teacher=root / "teacher", memory=5, contrast=3, **SMALL)
    return {"train": root / "teacher", "distill": root / "student"}


def recorded(run: Path, **changes: Any) -> dict[str, Any]:
    """Settings of a run as given to ``train`` or ``distill``, with changes."""
    return {"config": run, **changes}


def verb(kind: str) -> Callable[..., Any]:
    return {"train": train, "distill": distill}[kind]


def history(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def assert_same(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit, through all containers."""
    assert type(one) is type(other), where
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for name in one:
            if name != "seconds":
                assert_same(one[name], other[name], f"{where}.{name}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{where}[{number}]")
    else:
        assert one == other, where


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, optimiser, schedule, bank, scores and curves are equal bit for bit."""
    assert history(one) == history(other)
    states = checkpoint(one), checkpoint(other)
    for part in ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "callbacks"):
        assert_same(*(state[part] for state in states), part)
    assert_same(load_file(one / "model.safetensors"), load_file(other / "model.safetensors"))


def stop_after(step: int, patch: pytest.MonkeyPatch) -> None:
    """Have Ctrl-C come in the middle of a step."""
    original = Learner.training_step

    def interrupted(self: Learner, batch: Any, index: int) -> Any:
        if self.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, index)

    patch.setattr(Learner, "training_step", interrupted)


@pytest.mark.parametrize(
    ("kind", "step", "workers"),
    [("train", 4, 0), ("distill", 2, 0), ("distill", 3, 0), ("distill", 5, 2), ("distill", 8, 0)],
)
def test_stopped_is_never_stopped(runs: dict[str, Path], tmp_path: Path, kind: str, step: int, workers: int) -> None:
    """Steps 3, 6 and 8 validate; the others lie between. Two workers make what none makes."""
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(step, patch)
        with pytest.raises(
            Stopped, match=f"after step {step} of 8; go on with: segraft {kind} --config {out} --resume"
        ):
            verb(kind)(**recorded(runs[kind], out=out))
    assert checkpoint(out)["global_step"] == step
    verb(kind)(config=out, resume=True, workers=workers)
    assert_same_run(out, runs[kind])


def killed(run: Callable[[], Any], at: int, before: bool) -> None:
    """Train in a process of its own that dies at the nth file that it puts in place, before or after it does so."""

    def work() -> None:
        original, count = os.replace, 0

        def dying(*args: Any, **kwargs: Any) -> None:
            nonlocal count
            count += 1
            if not (count == at and before):
                original(*args, **kwargs)
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = dying
        run()

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("at", "before"),
    [
        pytest.param(2, True, id="before the metrics"),
        pytest.param(3, True, id="before the first model"),
        pytest.param(4, True, id="before the first checkpoint"),
        pytest.param(5, True, id="between two checkpoints"),
        pytest.param(5, False, id="after a later file"),
    ],
)
def test_a_killed_run_resumes(runs: dict[str, Path], tmp_path: Path, at: int, before: bool) -> None:
    out = tmp_path / "run"
    killed(lambda: distill(**recorded(runs["distill"], out=out)), at, before)
    assert {path.name for path in out.iterdir() if not path.name.startswith((".", "events"))} <= FILES
    if (out / "model.safetensors").exists():
        segraft.load(out)
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "affin')  # what a power cut leaves
    distill(config=out, resume=True)
    assert_same_run(out, runs["distill"])


def test_killed_before_it_began(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    killed(lambda: train(**recorded(runs["train"], out=out)), 1, True)
    with pytest.raises(UserError, match=r"nothing to resume .* start without --resume"):
        train(**recorded(runs["train"], out=out, resume=True))


def test_ctrl_c_on_the_command_line(runs: dict[str, Path], cells: Path, tmp_path: Path) -> None:
    """As a terminal sends it: to the process and its workers."""
    out = tmp_path / "run"
    words = ["train", "folder", "--root", cells, "--out", out, "--width", 2, "--patch", 32, 32, "--steps", 100_000]
    words += [
        "--validate-every",
        100_000,
        "--device",
        "cpu",
        "--workers",
        1,
        "--intensity",
        "noise",
        "--geometry",
        "flip",
    ]
    command = [sys.executable, "-m", "segraft", *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        metrics = out / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text()):
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert len(errors.strip().splitlines()) == 1
    assert f"go on with: segraft train --config {out} --resume" in errors
    assert checkpoint(out)["global_step"] >= 1


def test_a_second_ctrl_c_stops_at_once(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Learner, "validate", twice)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Stopped, match="stopped at once; go on from the last checkpoint with: segraft train"):
        train(**recorded(runs["train"], out=tmp_path / "run"))
    assert signal.getsignal(signal.SIGINT) is before


def test_workers_change_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", workers=2))
    assert_same_run(tmp_path / "run", runs["distill"])


def test_distillation_by_no_method_is_training_alone(runs: dict[str, Path], tmp_path: Path) -> None:
    distill(**recorded(runs["train"], out=tmp_path / "run", teacher=runs["train"], method="none"))
    assert_same_run(tmp_path / "run", runs["train"])


def test_a_recorded_run_is_repeated_and_changed(runs: dict[str, Path], tmp_path: Path) -> None:
    train(config=runs["train"] / "config.yaml", out=tmp_path / "again")
    assert_same_run(tmp_path / "again", runs["train"])
    train(config=runs["train"], out=tmp_path / "other", steps=1, seed=1)
    assert [line["step"] for line in history(tmp_path / "other")] == [1, 1]
    changed, before = (yaml.safe_load((run / "config.yaml").read_text()) for run in (tmp_path / "other", runs["train"]))
    assert {name for name in changed if changed[name] != before[name]} == {"out", "steps", "seed"}
    with pytest.raises(UserError, match="unknown setting 'stepps'"):
        train(config=runs["train"], out=tmp_path / "third", stepps=1)


def test_a_run_of_an_earlier_version_is_resumed(runs: dict[str, Path], tmp_path: Path) -> None:
    """Its configuration lacks what has become a setting since."""
    stopped = tmp_path / "run"
    shutil.copytree(runs["train"], stopped)
    values = yaml.safe_load((stopped / "config.yaml").read_text())
    for name in ("options", "offsets", "border", "filters"):
        del values[name]
    (stopped / "config.yaml").write_text(yaml.safe_dump(values))
    train(**recorded(stopped, out=stopped, resume=True))


def test_changes_to_a_recorded_run() -> None:
    before = {"network": "resunet", "width": 4, "method": "graph", "weights": {"affinity": 5.0, "intra_node": 1.0}}
    before |= {"monitor": "aji", "options": {"seed": 1}}
    changed = training._changed(before, {"weights": {"affinity": 2.0}, "options": {"ndim": 2}})
    assert changed["weights"] == {"affinity": 2.0, "intra_node": 1.0}
    assert changed["options"] == {"seed": 1, "ndim": 2}
    assert "weights" not in training._changed(before, {"method": "at"})
    assert "width" not in training._changed(before, {"filters": (2, 4)})
    assert "monitor" not in training._changed(before, {"network": "mala"})
    assert training._changed(before, {"network": "resunet-tiny"})["monitor"] == "aji"
    written_by_hand = {"weights": 3, "monitor": "aji"}
    assert training._changed(written_by_hand, {"network": "mala", "weights": {"affinity": 2.0}})["monitor"] == "aji"


def test_what_the_last_checkpoint_holds(runs: dict[str, Path]) -> None:
    state = checkpoint(runs["distill"])
    student = segraft.load(runs["distill"]).network
    bank = {f"distiller.memory.{name}" for name in ("grams", "filled", "cursor")}
    assert set(state["state_dict"]) == {f"network.{name}" for name in student.state_dict()} | bank
    assert state["state_dict"]["distiller.memory.grams"].shape == (5, 2, 4, 4)
    assert int(state["state_dict"]["distiller.memory.cursor"]) == 16
    assert (runs["distill"] / "checkpoints" / "last.ckpt").stat().st_size < 3e6


def test_a_run_survives_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(out: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("segraft.reporting.write_run_report", fails)
    training._report(tmp_path)
    assert capsys.readouterr().err == f"the report of {tmp_path} could not be drawn: no space left\n"


def test_what_a_run_leaves_behind(runs: dict[str, Path]) -> None:
    for run in runs.values():
        files = {path.name for path in run.iterdir()}
        assert {name for name in files if not name.startswith("events.out.tfevents")} == FILES
        assert len(files) == len(FILES) + 1
        assert [line["step"] for line in history(run) if "val" not in line] == [1, 3, 6, 8]
        assert [line["step"] for line in history(run) if "val" in line] == [3, 6, 8]


def test_tensorboard_has_terms_and_scores(runs: dict[str, Path]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(runs["distill"])).Reload()
    written = history(runs["distill"])
    for name in ("affinity", "inter_edge"):
        curve = [(event.step, event.value) for event in events.Scalars(f"train/{name}")]
        assert curve == [(line["step"], pytest.approx(line[name])) for line in written if "val" not in line]
    scores = [event.value for event in events.Scalars("val/aji")]
    assert scores == [pytest.approx(line["val"]["aji"]) for line in written if "val" in line]


@pytest.mark.parametrize("monitor", ["pq", "voi"])
def test_the_best_model_is_the_one_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, monitor: str) -> None:
    weights: dict[int, dict[str, torch.Tensor]] = {}
    validate = Learner.validate

    def watched(self: Learner) -> dict[str, Any]:
        weights[self.global_step] = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        return validate(self) | {monitor: [0.4, 0.6, 0.5][len(weights) - 1]}

    monkeypatch.setattr(Learner, "validate", watched)
    train("grey", out=tmp_path / "run", **SMALL | {"monitor": monitor, "steps": 3, "validate_every": 1})
    scores = {line["step"]: line["val"][monitor] for line in history(tmp_path / "run") if "val" in line}
    best = max(scores, key=scores.get) if MONITORS[monitor] == "max" else min(scores, key=scores.get)
    kept = load_file(tmp_path / "run" / "model.safetensors")
    assert best == {"pq": 2, "voi": 1}[monitor]
    assert all(torch.equal(kept[name], tensor) for name, tensor in weights[best].items())


def test_early_stopping_and_its_resumption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validate = Learner.validate
    monkeypatch.setattr(Learner, "validate", lambda self: validate(self) | {"aji": 1 / self.global_step})
    out = tmp_path / "run"
    train("grey", out=out, **SMALL | {"patience": 2, "steps": 30, "validate_every": 1})
    assert history(out)[-1]["step"] == 3
    before = (out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()
    train(config=out, resume=True)
    assert ((out / "metrics.jsonl").read_bytes(), (out / "model.safetensors").read_bytes()) == before


def test_a_finished_run_has_nothing_to_resume(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(**recorded(runs["train"], out=out, steps=2))
    before = (out / "metrics.jsonl").read_bytes()
    train(config=out, resume=True)
    assert (out / "metrics.jsonl").read_bytes() == before


def test_fine_tuning_starts_from_the_model(runs: dict[str, Path], tmp_path: Path) -> None:
    """A step at a vanishing rate moves nothing but the statistics of batch normalisation."""
    train(**recorded(runs["train"], out=tmp_path / "run", init=runs["train"], steps=1, rate=1e-30))
    tuned, before = (load_file(run / "model.safetensors") for run in (tmp_path / "run", runs["train"]))
    weights = [name for name in before if "running" not in name and "num_batches" not in name]
    assert weights
    assert all(torch.equal(tuned[name], before[name]) for name in weights)


def test_the_student_is_small(tmp_path: Path) -> None:
    train("grey", out=tmp_path / "run", **SMALL | {"width": None, "dim": 16, "steps": 1})
    assert (tmp_path / "run" / "model.safetensors").stat().st_size < 2e6
    labels = segraft.load(tmp_path / "run").predict(SETS["grey"]["val"][0].image)
    assert (labels.shape, labels.dtype) == ((40, 44), np.uint32)


@pytest.mark.parametrize(
    ("dataset", "settings"),
    [
        pytest.param("colour", {}, id="colour"),
        pytest.param("colour", {"channels": (0, 2)}, id="two channels"),
        pytest.param("colour", {"channels": (1,)}, id="one channel"),
        pytest.param("empty", {}, id="no instance anywhere"),
        pytest.param("grey", {"precision": "bfloat16"}, id="bfloat16"),
        pytest.param("grey", {"precision": "float16"}, id="float16"),
        pytest.param("grey", {"optimizer": "adamw", "decay": 0.1, "schedule": "constant", "clip": None}, id="adamw"),
        pytest.param("grey", {"batch": 1, "validation_images": 1, "background": "separate"}, id="one image"),
    ],
)
def test_teacher_and_student(tmp_path: Path, dataset: str, settings: dict[str, Any]) -> None:
    given = SMALL | {"steps": 2} | settings
    train(dataset, out=tmp_path / "teacher", **given)
    model = distill(dataset, out=tmp_path / "student", teacher=tmp_path / "teacher", **given)
    assert all(torch.isfinite(weight).all() for weight in model.network.state_dict().values())
    wanted = len(settings["channels"]) if "channels" in settings else len(SETS[dataset]["train"][0].image)
    assert model.network.in_channels == wanted
    assert model.predict(SETS[dataset]["val"][0].image).shape == (40, 44)


def test_three_images_are_enough(cells: Path, tmp_path: Path) -> None:
    for path in cells.rglob("*.tif"):
        if path.stem not in ("00", "01", "02"):
            path.unlink()
    train("folder", root=str(cells), out=str(tmp_path / "run"), **SMALL | {"steps": 1})


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"dataset": "unvalidated"}, "0 validation images of unvalidated came"),
        ({"dataset": "unlabelled"}, "2 validation images of unlabelled came, none with labels"),
        ({"dataset": "nothing"}, "unknown data set 'nothing'"),
        ({"dataset": "folder", "root": "no/such/folder"}, "no/such/folder is no folder"),
        ({"network": "resnet"}, "unknown network 'resnet'"),
        ({"patch": (33, 32)}, "wanted multiples of 16"),
        ({"patch": (32, 32, 32)}, "wanted"),
        ({"geometry": ("flipp",)}, "'flipp'"),
        ({"background": "objects"}, "unknown background 'objects'"),
        ({"low": 50.0, "high": 20.0}, "percentiles"),
        ({"channels": (0, 3)}, "channels"),
        ({"device": "cuda"}, "no device 'cuda'"),
        ({"init": "no/such/model"}, "no/such/model does not exist"),
        ({"teacher": "no/such/model"}, "no/such/model does not exist"),
        ({"dim": 8}, "has dim 4, the student 8; wanted the same"),
        ({"dataset": "colour"}, "has in_channels 1, the student 3"),
        ({"low": 2.0}, r"has low 1\.0, the student 2\.0"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    runs: dict[str, Path], tmp_path: Path, settings: dict[str, Any], answer: str
) -> None:
    if settings.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UserError, match=answer) as caught:
        distill(**{"dataset": "grey", "out": tmp_path / "run", "teacher": runs["train"], **SMALL, **settings})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_model_of_another_network_cannot_be_tuned(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make them agree") as caught:
        train(**recorded(runs["train"], out=tmp_path / "run", init=runs["train"], width=3))
    assert "\n" not in str(caught.value)


def test_a_run_is_not_overwritten(runs: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="holds a run already; --resume continues it, another --out"):
        train(config=runs["train"])


def test_a_run_is_resumed_with_its_own_settings(runs: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="with another rate, seed; resume with the same settings"):
        train(config=runs["train"], resume=True, seed=3, rate=1.0)


def test_a_checkpoint_that_was_cut_short(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(**recorded(runs["train"], out=out, steps=1))
    last = out / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"last\.ckpt is cut short"):
        train(config=out, resume=True)


def test_a_folder_that_cannot_be_written(runs: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["train", "--config", str(runs["train"]), "--out", str(tmp_path / "file" / "run")]
    assert main(words) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_disk_that_fills_up(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second checkpoint finds no room: one line, and the first stays, from which the run goes on."""
    out = tmp_path / "run"

    def full(self: SingleDeviceStrategy, state: Any, path: Any, storage_options: Any = None) -> None:
        if state["global_step"] > 3:
            Path(path).write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        save(self, state, path, storage_options)

    save = SingleDeviceStrategy.save_checkpoint
    monkeypatch.setattr(SingleDeviceStrategy, "save_checkpoint", full)
    with pytest.raises(UserError, match=r"last\.ckpt cannot be written \(No space left on device\)"):
        train(**recorded(runs["train"], out=out))
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["last.ckpt"]
    assert checkpoint(out)["global_step"] == 3
    monkeypatch.undo()
    train(config=out, resume=True)
    assert_same_run(out, runs["train"])


def test_a_disk_without_room_for_any_file(runs: dict[str, Path], tmp_path: Path) -> None:
    """Not injected: the system itself refuses to let files grow."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limit[1]))
    try:
        with pytest.raises(UserError, match="cannot be written") as caught:
            train(**recorded(runs["train"], out=tmp_path / "run"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_the_bar_shows_every_term(runs: dict[str, Path], tmp_path: Path, capfd: Any) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", steps=5, validate_every=4))
    shown = capfd.readouterr().out
    for name in ("aff", "fg", "i.node", "i.edge", "i.aff", "x.edge", "x.aff", "aji"):
        assert f" {name}=" in shown
    assert "5/5" in shown


def test_the_bar_counts_on_after_a_resumption(tmp_path: Path) -> None:
    progress = Progress(
        Keeper(training.make(training.TrainSettings, {"dataset": "grey", "out": tmp_path}).for_dimension(2), list)
    )
    progress._trainer = training.lightning.Trainer(
        max_steps=7, logger=False, accelerator="cpu", enable_model_summary=False
    )
    assert progress.total_train_batches == 7


def test_training_that_is_not_installed() -> None:
    code = "import sys; sys.modules['lightning'] = None; from segraft.cli import main; sys.exit(main(['train', 'x']))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "src")},
    )
    assert run.returncode == 2
    assert "pip install 'segraft[train]'" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_two_processes_share_the_bank(runs: dict[str, Path], tmp_path: Path) -> None:
    """Both ranks see other images and remember the same."""
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            f"""
            from pathlib import Path
            import torch
            from segraft.learner import Learner
            from segraft.training import distill

            def keep(self, outputs, batch, index):
                state = (self.distiller.memory.state_dict(), batch[0])
                torch.save(state, Path({str(tmp_path)!r}) / f"{{self.global_rank}}-{{self.global_step}}.pt")

            Learner.on_train_batch_end = keep
            distill("synthetic", out={str(tmp_path / "run")!r}, teacher={str(runs["train"])!r}, memory=6,
                    **{SMALL | {"devices": 2, "steps": 4}!r})
            """
        )
    )
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, timeout=280)
    assert done.returncode == 0, done.stderr
    for step in range(1, 5):
        (first, seen), (second, other) = (torch.load(tmp_path / f"{rank}-{step}.pt") for rank in (0, 1))
        assert_same(first, second)
        assert int(first["cursor"]) == 4 * step
        assert not torch.equal(seen, other)
    segraft.load(tmp_path / "run")
    assert [line["step"] for line in history(tmp_path / "run") if "val" in line] == [3, 4]
