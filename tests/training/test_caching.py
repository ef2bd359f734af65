"""The cache of a distillation: made once, kept whatever happens, and shared by all that it fits."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from segraft.cli import main
from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.losses import DISTILLERS
from segraft.model import checkpoint as models
from segraft.model import model_file
from segraft.training import caching
from segraft.training.callbacks import Stopped
from segraft.training.entries import Entries
from segraft.training.module import TrainingModule
from segraft.types import Sample
from shared.runs import SETS, assert_same_run, checkpoint, recorded

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
SIZE = 5
KINDS = ("patches", "outputs", "stages")


@pytest.fixture(scope="module")
def drawn(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that drew from a pool and was never stopped."""
    out = tmp_path_factory.mktemp("drawn") / "student"
    distill(**recorded(runs["distill"], out=out, cache=SIZE))
    return out


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one whenever a teacher is asked."""
    calls: list[int] = []
    original = caching.teacher_output

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return original(*arguments)

    monkeypatch.setattr(caching, "teacher_output", counted)
    monkeypatch.setattr("segraft.training.module.teacher_output", counted)
    return calls


def files(run: Path) -> dict[str, bytes]:
    """What the cache of a run holds, by kind and number."""
    return {f"{path.parent.name[:7]}/{path.name}": path.read_bytes() for path in (run / "cache").rglob("*.safetensors")}


def half(run: Path, out: Path, keep: int) -> None:
    """A copy of a run's cache of which all but the first entries are gone."""
    shutil.copytree(run / "cache", out / "cache")
    for path in (out / "cache").rglob("*.safetensors"):
        if int(path.stem) >= keep:
            path.unlink()


def first_terms(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> tuple[dict[str, float], list[torch.Tensor]]:
    """Loss terms of the first step, and what they were computed of."""
    seen: list[tuple[dict[str, float], list[torch.Tensor]]] = []
    original = TrainingModule.training_step

    def noted(self: TrainingModule, batch: Any, index: int) -> Any:
        loss = original(self, batch, index)
        seen.append(({name: float(term) for name, term in self.terms.items()}, list(batch)))
        return loss

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", noted)
        distill(**settings, steps=1)
    return seen[0]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("method", DISTILLERS)
def test_the_terms_are_those_of_the_teacher_itself(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, precision: str
) -> None:
    """The same patches in the same batch, once with the teacher at hand, once from files."""
    common = recorded(runs["distill"], method=method, precision=precision, weights={}, batch=4)
    cached, batch = first_terms(monkeypatch, **common, out=tmp_path / "cached", cache=4)
    monkeypatch.setattr(
        "segraft.training.batches.Batches.__iter__",
        lambda self: iter([(batch[0], batch[1])]),
    )
    direct, _ = first_terms(monkeypatch, **common, out=tmp_path / "direct")
    assert len(batch) == (4 if method in ("graph", "biskd") else 9)
    assert cached == pytest.approx(direct, rel=5e-3 if precision == "float32" else 5e-2, abs=1e-5)


def test_the_teacher_is_asked_once_for_each_patch_and_in_no_step(
    runs: dict[str, Path], tmp_path: Path, asked: list[int]
) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", cache=SIZE))
    assert len(asked) == SIZE
    assert len(files(tmp_path / "run")) == 2 * SIZE


@pytest.mark.parametrize(("step", "workers"), [(2, 0), (5, 2)])
def test_stopped_is_never_stopped(
    runs: dict[str, Path], drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, workers: int
) -> None:
    out, original = tmp_path / "run", TrainingModule.training_step

    def interrupted(self: TrainingModule, batch: Any, index: int) -> Any:
        if self.global_step == step - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingModule, "training_step", interrupted)
        with pytest.raises(Stopped, match=f"after step {step} of 8"):
            distill(**recorded(runs["distill"], out=out, cache=SIZE))
    assert checkpoint(out)["global_step"] == step
    distill(config=out, resume=True, workers=workers)
    assert_same_run(out, drawn)


def test_a_run_that_is_killed_while_the_pool_is_made(
    runs: dict[str, Path], drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the middle of the fifth file; what was made by then is kept as it is, and the rest made."""
    out = tmp_path / "run"

    def work() -> None:
        original, count = Entries.write, 0

        def dying(self: Entries, number: int, tensors: Any) -> None:
            nonlocal count
            count += 1
            if count == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            original(self, number, tensors)

        Entries.write = dying  # type: ignore[method-assign]
        distill(**recorded(runs["distill"], out=out, cache=SIZE))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    times = {path: path.stat().st_mtime_ns for path in (out / "cache").rglob("*.safetensors")}
    assert len(times) == 4
    distill(config=out, resume=True)
    assert f"cache: 2 of {SIZE} patches are in {out / 'cache'}, 3 are made now" in capsys.readouterr().err
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert files(out) == files(drawn)
    assert_same_run(out, drawn)


def test_a_signal_while_the_pool_is_made(
    runs: dict[str, Path], drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, original = tmp_path / "run", Entries.write

    def interrupted(self: Entries, number: int, tensors: Any) -> None:
        if number == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        original(self, number, tensors)

    with monkeypatch.context() as patch:
        patch.setattr(Entries, "write", interrupted)
        with pytest.raises(Stopped, match=f"stopped before the first step; go on with: segraft distill --config {out}"):
            distill(**recorded(runs["distill"], out=out, cache=SIZE))
    assert len(files(out)) == 4
    distill(config=out, resume=True)
    assert_same_run(out, drawn)


@pytest.mark.parametrize("kind", ["patches", "outputs"])
def test_what_is_damaged_is_made_again(
    runs: dict[str, Path], drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    out = tmp_path / "run"
    shutil.copytree(drawn / "cache", out / "cache")
    changed, short = ((next((out / "cache").glob(f"{kind}-*"))) / f"00000{k}.safetensors" for k in (1, 3))
    changed.write_bytes(changed.read_bytes()[:-3] + b"abc")
    short.write_bytes(short.read_bytes()[:100])
    distill(**recorded(runs["distill"], out=out, cache=SIZE))
    said = capsys.readouterr().err
    assert f"cache: 2 files are damaged and are made again, {changed} for example\n" in said
    assert files(out) == files(drawn)
    assert_same_run(out, drawn)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_disappears_while_steps_read_it(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, workers: int
) -> None:
    """One line, in a worker as in the training process; what a killed process left is swept before."""
    out, original = tmp_path / "run", caching.Caching.make

    def taken_away(self: caching.Caching) -> None:
        left = self.pool.parts[1].folder / ".000001.safetensors.99.part"
        left.parent.mkdir(parents=True)
        left.touch()
        os.utime(left, (0, 0))
        original(self)
        assert not left.exists()
        self.pool.parts[1].path(1).unlink()

    monkeypatch.setattr(caching.Caching, "make", taken_away)
    words = ["distill", "--config", str(runs["distill"]), "--out", str(out), "--cache", str(SIZE)]
    assert main([*words, "--workers", str(workers)]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"segraft: {out / 'cache'}")
    assert "000001.safetensors cannot be read (" in line
    assert line.endswith("resume the run, which makes it again")


def test_a_disk_that_fills_up_while_the_pool_is_made(
    runs: dict[str, Path], drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out, original, count = tmp_path / "run", Path.write_bytes, 0

    def full(self: Path, data: Any) -> int:
        nonlocal count
        count += 1
        if count > 5:
            original(self, data[:30])
            raise OSError(28, "No space left on device")
        return original(self, data)

    words = ["distill", "--config", str(runs["distill"]), "--out", str(out), "--cache", str(SIZE)]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert main(words) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert line.startswith(f"segraft: {out / 'cache'}")
    assert "cannot be written (No space left on device)" in line
    assert len(files(out)) == 5
    assert not list(out.rglob("*.part"))
    distill(config=out, resume=True)
    assert_same_run(out, drawn)


def test_a_disk_without_enough_room(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    """What the files take in the end is what was asked for before anything was written."""
    out = tmp_path / "run"
    given = recorded(runs["distill"], out=out, cache=SIZE, method="at", weights={})
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 9000, 9000))
    message = r"cache: 5 patches need 0\.0 GB more in .*cache, of which 0\.0 GB are free; lower --cache, make room, or"
    with pytest.raises(UserError, match=message):
        distill(**given)
    assert not out.exists()
    assert not asked
    needed: list[int] = []
    monkeypatch.setattr(caching, "_check_space", lambda folder, needs, size: needed.append(needs))
    distill(**given)
    written = sum(map(len, files(out).values()))
    assert needed[0] < written < needed[0] + 3 * SIZE * 1000  # headers


@pytest.fixture
def shared(runs: dict[str, Path], drawn: Path, tmp_path: Path, asked: list[int]) -> Callable[..., int]:
    """Distil from the pool of the run above, and count how often the teacher was asked."""
    count = iter(range(100))
    shutil.copytree(drawn / "cache", tmp_path / "pools")

    def run(**settings: Any) -> int:
        del asked[:]
        given = {"cache": SIZE, "cache_folder": tmp_path / "pools", "steps": 1, "out": tmp_path / f"run{next(count)}"}
        distill(**recorded(runs["distill"], **given | settings))
        return len(asked)

    return run


def test_a_pool_serves_all_methods_seeds_and_smaller_pools(shared: Callable[..., int]) -> None:
    assert shared(method="rekd", weights={}) == SIZE
    for method in ("at", "spkd", "graph", "biskd", "none"):
        assert shared(method=method, weights={}) == 0
    assert shared(seed=5) == 0
    assert shared(cache=3) == 0
    assert shared(rate=0.1, bank_size=3, batch=3, width=3) == 0
    assert shared(cache=SIZE + 2) == 2


def test_stages_are_made_when_a_method_first_needs_them(shared: Callable[..., int], tmp_path: Path) -> None:
    folder = tmp_path / "others"
    for method, kinds in (("none", {"patches"}), ("graph", {"patches", "outputs"}), ("at", {*KINDS})):
        asked = shared(method=method, weights={}, cache_folder=folder)
        assert asked == (0 if method == "none" else SIZE)
        assert {path.name.split("-")[0] for path in folder.iterdir()} == kinds


@pytest.mark.parametrize(
    "change",
    [
        {"cache_seed": 1},
        {"patch": (16, 32)},
        {"intensity": ("noise", "blur")},
        {"geometry": ()},
        {"blanks": 0.5},
        {"scales": (0.5, 1.0)},
        {"precision": "bfloat16"},
        {"border": 1},
        {"dataset": "others"},
    ],
    ids=str,
)
def test_a_pool_of_anything_else_is_made_anew(
    shared: Callable[..., int], monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    """The other data set has one pixel that differs."""
    other = [replace(sample, image=sample.image.copy()) for sample in SETS["grey"]["train"]]
    other[0].image[0, 3, 3] += 1
    monkeypatch.setitem(DATASETS, "others", lambda root, split: {"train": other, "val": SETS["grey"]["val"]}[split])
    assert shared(**change) == SIZE


def test_a_pool_of_another_teacher_is_made_anew(
    shared: Callable[..., int], runs: dict[str, Path], tmp_path: Path
) -> None:
    assert shared() == 0
    copy = shutil.copytree(runs["train"], tmp_path / "copy")
    assert shared(teacher=copy) == 0, "the same weights elsewhere"
    config = models.read(copy)[1]
    model_file.change(copy, segmentation=config.segmentation.changed(foreground_threshold=0.9))
    assert shared(teacher=copy) == 0, "the same weights, segmented otherwise"
    network, config = models.restore(copy)
    with torch.no_grad():
        next(network.parameters()).view(-1)[0].add_(1e-3)
    models.save(copy, network, config)
    assert shared(teacher=copy) == SIZE


def test_a_teacher_whose_numbers_are_too_large(runs: dict[str, Path], tmp_path: Path) -> None:
    network, config = models.restore(runs["train"])
    with torch.no_grad():
        network.get_parameter("embedding.weight").mul_(1e9)
    models.save(tmp_path / "loud.safetensors", network, config)
    given = recorded(runs["distill"], out=tmp_path / "run", teacher=tmp_path / "loud.safetensors", cache=SIZE)
    with pytest.raises(UserError, match=r"gives values up to .*, expected at most 65504, .*; train without --cache"):
        distill(**given)
    assert [name for name in files(tmp_path / "run") if name.startswith("outputs")] == []


def test_a_run_goes_on_with_its_own_pool_wherever_that_is(runs: dict[str, Path], drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(drawn, out)
    with pytest.raises(UserError, match="was run with another cache; resume with the same settings"):
        distill(config=out, out=out, resume=True, cache=SIZE + 1)
    (out / "cache").rename(tmp_path / "elsewhere")
    distill(config=out, resume=True, cache_folder=tmp_path / "elsewhere")
    assert yaml.safe_load((out / "config.yaml").read_text())["cache_folder"] == str(tmp_path / "elsewhere")


def test_volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a teacher whose convolutions take other margins than the student's."""
    labels = np.zeros((20, 70, 70), np.int32)
    labels[:, 20:40, 20:40] = 1
    sample = Sample((100 * labels[None]).astype(np.uint8), labels, "cube")
    monkeypatch.setitem(DATASETS, "volume", lambda root, split: (sample,))
    common: dict[str, Any] = {"network": "mala", "dim": 3, "steps": 1, "batch": 1, "validate_every": 1, "workers": 0}
    common |= {"patch": (22, 79, 79), "device": "cpu", "geometry": ("flip",), "intensity": ()}
    train("volume", out=tmp_path / "teacher", filters=(2, 2), **common)
    distill("volume", out=tmp_path / "student", teacher=tmp_path / "teacher", filters=(2, 2, 2), cache=2, **common)
    assert len(files(tmp_path / "student")) == 4


@pytest.mark.parametrize(("name", "value"), [("cache", 0), ("cache", -3), ("cache_seed", -1)])
def test_numbers_that_cannot_be(runs: dict[str, Path], tmp_path: Path, name: str, value: int) -> None:
    with pytest.raises(UserError, match=f"{name}: got {value}, expected"):
        distill(**recorded(runs["distill"], out=tmp_path / "run", **{name: value}))
