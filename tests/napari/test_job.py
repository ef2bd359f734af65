"""What the plugin does, without napari: labels and tables of layers of all kinds, progress, an end on request."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import segraft
from segraft.data.shipped import NUCLEI
from segraft.errors import UserError
from segraft.images.reading import read_image
from segraft.model import checkpoint
from segraft.model.model import Model
from segraft.model.model_file import shipped
from segraft.model.runner import Runner
from segraft.model.torch_runner import TorchRunner
from segraft.napari import job, samples
from segraft.napari.job import Choices, Found, Job, size_of
from segraft.napari.watched import Watched
from shared.exports import config
from shared.models import a_config, lively
from shared.samples import row_of_cells

IMAGE = row_of_cells(2).image[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that finds objects in grey images."""
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    checkpoint.save(path, lively(), config())
    return path


def found(work: Job) -> Found:
    result = work.run()
    assert isinstance(result, Found), result
    return result


def test_labels_and_table_are_those_of_the_model(small: Path) -> None:
    result = found(Job(IMAGE, Choices(model=small)))
    expected = segraft.load(small).predict(IMAGE)
    assert np.array_equal(result.labels, expected)
    assert result.labels.dtype == np.uint32
    assert result.count == expected.max() > 1
    assert result.features["index"].tolist() == list(range(1, result.count + 1))
    assert result.features["area"].tolist() == np.bincount(expected.ravel())[1:].tolist()
    assert "equivalent_diameter_px" in result.features


def test_choices_are_those_of_predict(small: Path) -> None:
    told: dict[str, Any] = {"foreground_threshold": 0.4, "minimum_size": 20, "tile": 32}
    result = found(Job(IMAGE, Choices(model=small, **told)))
    assert np.array_equal(result.labels, segraft.load(small).predict(IMAGE, **told))
    assert not np.array_equal(result.labels, segraft.load(small).predict(IMAGE))


def test_the_model_that_comes_along_finds_nuclei() -> None:
    """By its name."""
    file = NUCLEI / "test" / "images" / samples.MANY
    result = found(Job(read_image(file), Choices(model="nuclei")))
    truth = read_image(NUCLEI / "test" / "masks" / samples.MANY)
    assert segraft.evaluate(result.labels, truth)["aji"] > 0.8


@pytest.mark.parametrize("size", [5.0, "auto"])
def test_objects_are_brought_to_the_size_that_the_model_knows(tmp_path: Path, size: float | str) -> None:
    """As `predict` does; the look that tells their size is no part of the progress."""
    path = tmp_path / "sized.safetensors"
    checkpoint.save(path, lively(), replace(config(), object_size=10.0))
    work = Job(IMAGE, Choices(model=path, object_size=size))
    assert np.array_equal(found(work).labels, segraft.load(path).predict(IMAGE, object_size=size))
    assert not np.array_equal(found(work).labels, segraft.load(path).predict(IMAGE))
    assert work.progress == 1


def test_sizes_are_typed() -> None:
    assert [size_of(text) for text in ("", " ", "Auto", " 12.5")] == [None, None, "auto", 12.5]
    with pytest.raises(UserError, match="object size: got 'large', expected a diameter in pixels, or auto"):
        size_of("large")


def test_planes_of_a_stack_have_ids_of_their_own(small: Path) -> None:
    stack = np.stack([IMAGE, IMAGE[::-1], np.zeros_like(IMAGE)])[:, None]
    result = found(Job(stack, Choices(model=small)))
    model = segraft.load(small)
    assert result.labels.shape == stack.shape
    before = 0
    for number, plane in enumerate(stack[:, 0]):
        expected = model.predict(plane)
        assert np.array_equal(result.labels[number, 0], np.where(expected, expected + before, 0))
        rows = result.features["axis_0"] == number
        assert result.features["index"][rows].tolist() == list(range(before + 1, before + int(expected.max()) + 1))
        before += int(expected.max())
    assert set(result.features["axis_1"]) == {0}
    assert result.count == before


@pytest.mark.parametrize("rgb", [True, False])
def test_colours_and_channels(tmp_path: Path, rgb: bool) -> None:
    """A model of three channels sees those of a layer in colour, and the first axis of another; stacks of both."""
    checkpoint.save(
        tmp_path / "colour.safetensors", lively(3), a_config({"in_channels": 3, "dim": 4, "filters": (2, 4, 8)})
    )
    image = np.random.default_rng(0).integers(0, 255, (3, 40, 48)).astype(np.uint8)
    data = np.moveaxis(image, 0, -1) if rgb else image
    expected = segraft.load(tmp_path / "colour.safetensors").predict(image)
    choices = Choices(model=tmp_path / "colour.safetensors")
    assert np.array_equal(found(Job(data, choices, rgb=rgb)).labels, expected)
    assert found(Job(np.stack([data, data]), choices, rgb=rgb)).labels.shape == (2, 40, 48)


def test_sizes_are_in_micrometres_where_they_are_known(small: Path) -> None:
    known = found(Job(IMAGE, Choices(model=small), voxel_size=(1000.0, 500.0, 500.0))).features
    assert known["area_um2"] == pytest.approx(known["area"] * 0.25)
    assert "area_um2" not in found(Job(IMAGE, Choices(model=small), voxel_size=(500.0,))).features


def test_nothing_is_found_in_nothing(small: Path) -> None:
    result = found(Job(IMAGE, Choices(model=small, minimum_size=10_000)))
    assert result.count == 0
    assert not result.labels.any()
    assert {"index", "area"} <= set(result.features)


def test_progress_counts_windows_of_all_planes(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Job(np.stack([IMAGE, IMAGE]), Choices(model=small, tile=32))
    seen = []
    run = TorchRunner.run

    def watched(self: TorchRunner, window: np.ndarray) -> Any:
        seen.append(work.progress)
        return run(self, window)

    monkeypatch.setattr(TorchRunner, "run", watched)
    assert work.progress == 0
    found(work)
    assert len(seen) == 8
    assert seen == sorted(set(seen))
    assert work.progress == 1


def test_it_ends_on_request(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next window; or after the segmentation, where there is none."""
    work = Job(IMAGE, Choices(model=small, tile=16))
    run, seen = TorchRunner.run, []

    def stopping(self: TorchRunner, window: np.ndarray) -> Any:
        seen.append(window.shape)
        if len(seen) == 2:
            work.stop()
        return run(self, window)

    monkeypatch.setattr(TorchRunner, "run", stopping)
    assert work.run() == "stopped"
    assert len(seen) == 2
    last = Job(IMAGE, Choices(model=small))
    monkeypatch.setattr(Model, "segment", lambda *_: last.stop() or np.zeros(IMAGE.shape, np.uint32))  # type: ignore[func-returns-value]
    assert last.run() == "stopped"


@pytest.mark.parametrize(
    ("data", "told", "words"),
    [
        (IMAGE, {"model": "nowhere"}, "nowhere does not exist; expected a run folder, a model file"),
        (IMAGE, {"model": " "}, "model: got none, expected one of nuclei, nuclei-int8, a model file or a run folder"),
        (IMAGE, {"foreground_threshold": 2.0}, "foreground threshold: got 2.0"),
        (IMAGE, {"tile": -5}, "tile: got -5"),
        (IMAGE, {"object_size": -1.0}, "object size: got -1.0, expected a diameter in pixels"),
        (IMAGE[0], {}, "image: got 1 axes, expected 2 or more for a 2-D model of 1 channels"),
        (IMAGE[None][:0], {}, "image: got a stack of no planes"),
        (np.full((20, 20), np.nan), {}, "NaN or infinite"),
    ],
)
def test_mistakes_are_said_in_one_line(small: Path, data: np.ndarray, told: dict[str, Any], words: str) -> None:
    said = Job(data, Choices(**{"model": small, **told})).run()
    assert isinstance(said, str)
    assert words in said
    assert "\n" not in said


def test_too_little_memory_is_said(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(TorchRunner, "run", fail)
    assert "the memory is too small for tiles of this size" in str(Job(IMAGE, Choices(model=small)).run())
    monkeypatch.setattr(TorchRunner, "run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # which is no mistake of the user
        Job(IMAGE, Choices(model=small)).run()


def test_the_form_begins_with_what_is_stored(small: Path) -> None:
    assert job.configuration(small) == config()
    assert job.configuration("nuclei").training["dataset"] == "folder"
    with pytest.raises(UserError, match="does not exist"):
        job.configuration("nowhere")
    assert all(path.is_file() for path in shipped().values())


def test_a_watched_runner_is_the_same_runner() -> None:
    calls: list[int] = []
    original = TorchRunner(lively())
    runner = Watched(original, lambda: calls.append(1))
    assert isinstance(runner, Runner)
    window = np.random.default_rng(0).random((1, 32, 32)).astype(np.float32)
    for one, other in zip(runner.run(window), original.run(window), strict=True):
        assert np.array_equal(one, other)
    assert calls == [1]
    runner.use_threads(1)
    for name in ("geometry", "device", "engine", "threads"):
        assert getattr(runner, name) == getattr(original, name)
    assert runner.memory((32, 32)) == original.memory((32, 32))
    assert runner.complexity((32, 32)) == original.complexity((32, 32))
    assert runner.peak() == original.peak()


def test_samples_are_images_with_names() -> None:
    for (data, settings, kind), least in ((samples.few()[0], 5), (samples.many()[0], 30)):
        assert kind == "image"
        assert data.shape == (256, 256)
        assert data.dtype == np.uint8
        truth = read_image(NUCLEI / "test" / "masks" / (samples.FEW if least == 5 else samples.MANY))
        assert least <= truth.max() <= 7 * least
        assert settings["name"].startswith("nuclei")


def test_all_but_the_widget_does_without_napari() -> None:
    code = "import sys, segraft.napari.job, segraft.napari.samples; print(*{n.partition('.')[0] for n in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"napari", "magicgui", "qtpy", "torch"} & set(run.stdout.split())
