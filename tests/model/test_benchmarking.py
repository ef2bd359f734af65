"""What a model costs: numbers that add up, of the whole path from array to labels, without leaving a trace."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.metrics.scoring import evaluate
from segraft.model import benchmarking, checkpoint
from segraft.model.benchmarking import Clock, ideal_results, measure, open_subject, peak_memory, scene
from segraft.model.model import Model
from segraft.networks import complexity, create_network
from segraft.types import Geometry
from shared.models import a_config

SIZE = (72, 88)


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A model file of a small network."""
    path = tmp_path / "model.safetensors"
    config = a_config(
        {"name": "resunet-tiny", "in_channels": 2, "dim": 8, "filters": (2, 4)},
        segmentation={"minimum_size": 3},
        training={"dataset": "folder", "patch": [64, 64]},
    )
    torch.manual_seed(0)
    checkpoint.save(path, create_network("resunet-tiny", 2, 8, (2, 4)), config)
    return path


def test_a_network_by_name() -> None:
    found = measure("resunet-tiny", SIZE, repeats=2, warmup=0, device="cpu", memory=False)
    network = create_network("resunet-tiny")
    assert (found["parameters"], found["macs"]) == complexity(network, (1, 1, 80, 96))
    assert not found["trained"]
    assert found["size"] == SIZE
    assert found["memory"] is None
    assert found["file"] is None
    assert all(found[stage] > 0 for stage in ("preparation", "network", "postprocessing"))
    assert found["total"] < 5


def test_a_trained_model_on_a_given_image(trained: Path) -> None:
    image = np.random.default_rng(0).integers(0, 999, (2, *SIZE), dtype=np.uint16)
    found = measure(trained, image=image, repeats=1, warmup=0, device="cpu", memory=False)
    assert found["trained"]
    assert not found["generated"]
    assert found["size"] == SIZE
    assert found["objects"] == open_subject(trained, "cpu")[0].predict(image).max()
    assert found["file"] == trained.stat().st_size


def test_without_times_nothing_is_run(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarking, "timed", lambda *_: pytest.fail("it ran"))
    monkeypatch.setattr(benchmarking, "peak_memory", lambda *_: pytest.fail("it ran"))
    found = measure(trained, SIZE, device="cpu", times=False)
    assert found["parameters"] > 0
    assert found["macs"] > 0
    assert [found[name] for name in (*benchmarking.STAGES, "total", "memory", "objects")] == [None] * 6


def test_stages_add_up_and_the_model_stays_as_it_is(trained: Path) -> None:
    model, _ = open_subject(trained, "cpu")
    runner, image = model.runner, scene(SIZE, 2)
    begin = time.perf_counter()
    found = benchmarking.timed(model, image, trained=True)
    elapsed = time.perf_counter() - begin
    stages = [found[stage] for stage in benchmarking.STAGES]
    assert found["total"] == pytest.approx(sum(stages))
    assert 0 < found["total"] <= elapsed
    assert model.runner is runner


class Slow:
    """A runner that takes its time."""

    geometry = Geometry(2, 1, 4, (8, 8), (0, 0), (8, 8), (8, 8))
    device, engine, threads = "cpu", "by hand", 1

    def use_threads(self, count: int) -> None:
        self.threads = count

    def peak(self) -> None:
        return None

    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(0.2)
        return np.ones((4, *window.shape[1:]), np.float32), np.ones(window.shape[1:], np.float32)

    def memory(self, window: tuple[int, ...]) -> float:
        return 0.0

    def complexity(self, window: tuple[int, ...]) -> tuple[int, int]:
        return 0, 0


def test_the_network_is_told_from_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(space: tuple[int, ...], dim: int) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(0.5)
        return np.ones((dim, *space), np.float32), np.ones(space, np.float32)

    def segment(affinities: np.ndarray, *_: Any, **__: Any) -> np.ndarray:
        time.sleep(0.3)
        return np.ones(affinities.shape[1:], np.uint32)

    monkeypatch.setattr(benchmarking, "ideal_results", wait)
    monkeypatch.setitem(__import__("segraft").SEGMENTERS, "mutex", segment)
    found = benchmarking.timed(Model(Slow(), a_config()), scene((32, 40)), trained=False)
    assert 0.2 <= found["network"] < 0.3
    assert 0.3 <= found["postprocessing"] < 0.5  # without the half second of the ideal output
    assert found["preparation"] < 0.2


def test_several_tiles_are_all_counted() -> None:
    clock = Clock(Slow(), None)
    for _ in range(2):
        clock.run(np.zeros((1, 8, 8), np.float32))
    assert 0.4 <= clock.network < 0.6


def test_the_ideal_output_gives_the_true_objects() -> None:
    embedding, foreground = ideal_results((128, 160), 16)
    assert embedding.shape == (16, 128, 160)
    assert foreground.shape == (128, 160)

    class Ideal(Slow):
        geometry = Geometry(2, 1, 16, (8, 8), (0, 0), (8, 8), (8, 8))

        def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return embedding, foreground

    labels = Model(Ideal(), a_config(segmentation={"minimum_size": 10})).predict(scene((128, 160)))
    truth = open_dataset("synthetic", None, "test", count=1, size=(128, 160), **benchmarking.SCENES[2][1])[0].labels
    assert evaluate(labels, truth)["pq"] > 0.95


def test_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    found = measure("resunet-tiny", (32, 32), repeats=1, warmup=0, threads=2, device="cpu", memory=False)
    assert found["threads"] == 2
    assert torch.get_num_threads() == before


def test_memory_is_that_of_a_process_of_its_own(trained: Path) -> None:
    ballast = np.ones(2**27)  # 1 GiB that must not be counted
    peak = peak_memory(trained, SIZE, 1, "cpu")
    assert peak is None or 50 * 2**20 < peak < ballast.nbytes
    if sys.platform == "linux":
        assert peak is not None


def test_memory_that_cannot_be_measured_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "killed")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert peak_memory("resunet-tiny", SIZE, 1, "cpu") is None


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"warmup": -1}, {"threads": 0}, {"size": (0, 5)}])
def test_numbers_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="expected positive numbers"):
        measure("resunet-tiny", **wrong)


def test_an_unknown_subject() -> None:
    with pytest.raises(UserError, match=r"neither a run folder.*resunet-tiny"):
        measure("resunet-tinny")
