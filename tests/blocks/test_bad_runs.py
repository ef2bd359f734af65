"""What can go wrong while an image is segmented in blocks: one line each, and nothing is lost."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
import zarr

from segraft import blocks
from segraft.blocks import cluster as of_dask
from segraft.blocks.cutting import Grid
from segraft.blocks.running import Distributed, Done
from segraft.blocks.work_folder import WorkFolder
from segraft.errors import UserError
from segraft.model.config import Segmentation
from shared.echo import job_of
from shared.stores import files, labels_of


def test_a_damaged_chunk(predict, image, tmp_path):
    chunk = image / "c" / "3" / "2"
    good = chunk.read_bytes()
    chunk.write_bytes(good[: len(good) // 2])
    with pytest.raises(UserError, match=r"^cells, y .*, x .* cannot be read .*; if it is damaged or cut short") as told:
        predict(image, out=tmp_path / "out.zarr")
    assert "\n" not in str(told.value)
    chunk.write_bytes(good)
    assert predict(image, out=tmp_path / "out.zarr") > 5  # goes on


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_missing_chunk_is_told(predict, image, tmp_path, capsys, scale):
    (image / "c" / "3" / "2").unlink()
    predict(image, out=tmp_path / "out.zarr", scale=scale)
    assert "1 of 9 blocks lack chunks, which read as the fill value" in capsys.readouterr().err


def test_not_a_number_in_one_block(predict, tmp_path):
    pixels = np.random.default_rng(0).normal(size=(80, 96)).astype(np.float32)
    pixels[70, 5] = np.nan
    np.save(tmp_path / "bad.npy", pixels)
    with pytest.raises(UserError, match=r"^bad, y .*: got 1 of .* pixels that are NaN or infinite"):
        predict(tmp_path / "bad.npy", out=tmp_path / "out.zarr")
    assert not (tmp_path / "out.zarr").exists()


@pytest.mark.parametrize(
    ("stage", "more"),
    [("segmenting", {}), ("writing", {"table": "out.csv"}), ("writing", {}), ("writing", {"scale": 1.2})],
)
def test_an_image_that_changes_meanwhile(predict, image, tmp_path, monkeypatch, stage, more):
    monkeypatch.chdir(tmp_path)
    original = Distributed.__call__

    def changing(run, name, words, *given):
        if words == stage:
            zarr.open_array(image, mode="r+")[70:, 70:] = 9
        return original(run, name, words, *given)

    monkeypatch.setattr(Distributed, "__call__", changing)
    with pytest.raises(UserError, match=r"^cells, y 64:80, x 64:96: the image changed while it was segmented"):
        predict(image, out=tmp_path / "out.zarr", **more)
    assert not (tmp_path / "out.zarr").exists()
    assert not (tmp_path / "out.csv").exists()


def test_an_image_of_another_shape_than_before(predict, image, tmp_path, monkeypatch):
    def failing(*_):
        raise UserError("stopped")

    monkeypatch.setattr("segraft.blocks.prediction.write", failing)
    with pytest.raises(UserError, match="stopped"):
        predict(image, out=tmp_path / "out.zarr")
    zarr.create_array(image, data=np.zeros((90, 96), np.uint16), overwrite=True)
    with pytest.raises(UserError, match=r"holds a run with other settings: .*shape is \[90, 96\], was \[80, 96\]"):
        predict(image, out=tmp_path / "out.zarr")


def test_a_full_disk(predict, image, small_disk, capsys):
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(60_000))
    out = small_disk / "out.zarr"
    with pytest.raises(UserError, match=r"\(No space left on device\)") as told:
        predict(image, out=out)
    assert "scheduler" not in str(told.value)
    assert "\n" not in str(told.value)
    assert not out.exists()
    capsys.readouterr()


def test_two_runs_for_one_output(predict, image, tmp_path):
    with (
        WorkFolder(tmp_path / ".out.blocks").locked(),
        pytest.raises(UserError, match="in use: got two runs for one output"),
    ):
        predict(image, out=tmp_path / "out.zarr")


@pytest.mark.parametrize("kind", ["file", "folder", "zarr"])
def test_an_output_that_is_something_else(predict, image, tmp_path, kind):
    out = tmp_path / "out.zarr"
    if kind == "file":
        out.write_text("mine")
    elif kind == "folder":
        out.mkdir()
    else:
        shutil.copytree(image, out)
    with pytest.raises(UserError, match="is there, with other settings: it was not written in blocks; choose another"):
        predict(image, out=out)
    assert out.exists()
    assert not list(tmp_path.glob(".*"))


def test_an_output_that_comes_meanwhile(predict, image, tmp_path, monkeypatch):
    out = tmp_path / "out.zarr"
    original = Distributed.tell

    def taken(run):
        original(run)
        (out / "mine").mkdir(parents=True)

    monkeypatch.setattr(Distributed, "tell", taken)
    with pytest.raises(UserError, match=r"out\.zarr cannot be written"):
        predict(image, out=out)
    assert (out / "mine").exists()
    shutil.rmtree(out)
    monkeypatch.undo()
    assert predict(image, out=out) > 5


def test_no_scheduler(predict, image, tmp_path, monkeypatch):
    monkeypatch.setattr(of_dask, "WAIT", "0.2s")
    with pytest.raises(UserError, match=r"^scheduler tcp://127.0.0.1:9 does not answer .* start it"):
        predict(image, out=tmp_path / "out.zarr", scheduler="tcp://127.0.0.1:9")
    assert not list(tmp_path.glob(".*"))  # nothing is done, nothing is left


class Client:
    """In place of a client of Dask."""

    def __init__(self, told=(), threads=()):
        self.told, self.threads = told, threads

    def wait_for_workers(self, count, timeout):
        raise TimeoutError

    def run(self, task):
        return {"tcp://a:1": "0.0.1"}

    def nthreads(self):
        return dict.fromkeys(self.threads, 1)

    def get_events(self, topic):
        return self.told

    def submit(self, *given, **more):
        return Future()

    def cancel(self, futures, force):
        pass


class Crowd(Client):
    """One worker, and nine more after the first result; tasks end at once."""

    def __init__(self):
        super().__init__()
        self.handed_out = self.most = self.ended = 0

    def nthreads(self):
        return dict.fromkeys(range(10 if self.ended else 1), 1)

    def submit(self, *given, **more):
        self.handed_out += 1
        self.most = max(self.most, self.handed_out - self.ended)
        return Ended(self)


class Ended:
    """Of a task that is done."""

    def __init__(self, crowd):
        self.crowd = crowd

    def add_done_callback(self, call):
        call(self)

    def result(self):
        self.crowd.ended += 1
        return Done(False, 0, 0.0)


class Future:
    """Of a task that never ends, or failed."""

    def __init__(self, error=None):
        self.error = error

    def add_done_callback(self, call):
        if self.error:
            call(self)

    def result(self):
        raise self.error


def test_no_workers_and_others():
    with pytest.raises(UserError, match=r"^scheduler tcp://x has no workers, .*: dask worker tcp://x --nthreads 1$"):
        of_dask._check_workers(Client(), "tcp://x", 1.0)
    client = Client()
    client.wait_for_workers = lambda *_, **__: None
    with pytest.raises(UserError, match=r"^worker tcp://a:1 has segraft 0.0.1, expected .* as here; install it there"):
        of_dask._check_workers(client, "tcp://x", 1.0)


def test_workers_that_come_late_get_tasks_too(tmp_path):
    """As on a cluster whose queue starts them one by one."""
    run = a_run(tmp_path, Crowd())
    assert len(list(run._each("stage", print, range(200)))) == 200
    assert run.client.most == 30  # three for each that there is in the end


def a_run(folder, client):
    """Stages of 4 blocks."""
    job = job_of(folder, np.zeros((5, 8, 8), np.float32), (4, 4), Segmentation())
    return Distributed(job, client, patience=0.05)


def test_workers_that_go_away(tmp_path, monkeypatch):
    monkeypatch.setattr("segraft.blocks.running.LOOK", 0.02)
    with pytest.raises(UserError, match=r"^blocks: all workers are gone, .* run again: it goes on"):
        a_run(tmp_path, Client())("stage", "words", print, range(4))


def failed(run, error):
    """What is said of a block that ended with an error."""
    with pytest.raises(UserError) as told:
        run._result(Future(error), 1)
    return str(told.value)


def test_workers_that_die_time_and_again(tmp_path):
    from distributed import KilledWorker

    error = KilledWorker("task", None, 3)
    told = failed(a_run(tmp_path, Client()), error)
    assert told.startswith("blocks: got workers that died time and again at y 0:4, x 4:8, expected")
    before = Client([(0.0, {"rss": 2e9})])  # of another stage
    run = a_run(tmp_path, before)
    run.begun = 1.0
    assert failed(run, error).startswith("blocks: got workers that died time and again")
    told = failed(a_run(tmp_path, Client([(0.0, {"rss": 2e9}), (1.0, {"rss": 3e9})])), error)
    assert told.startswith("blocks: got workers that took 3.00 GB at y 0:4, x 4:8, more than they were given")
    assert told.endswith("give more --max-memory and run again, or smaller --blocks and another output")
    assert "no memory for y 0:4, x 4:8" in failed(a_run(tmp_path, Client()), MemoryError())


def test_places_are_those_of_the_stage(tmp_path):
    client = Client(threads=["one"])
    client.submit = lambda *_, **__: Future(MemoryError())
    run = a_run(tmp_path, client)
    segmented, image, level = run.job.grid, Grid((16, 16), (8, 8)), Grid((8, 8), (8, 4))
    for own, grid, place in (
        (segmented, None, "y 0:4, x 4:8"),
        (image, None, "y 0:4, x 4:8 of the resized image"),
        (image, image, "y 0:8, x 8:16"),
        (image, level, "y 0:8, x 4:8 of level 1"),
    ):
        run.job = replace(run.job, image_grid=own)
        with pytest.raises(UserError, match=rf"^blocks: got no memory for {place}, expected more"):
            run("stage", "level 1", print, [1], grid)


def test_what_is_lost_is_told_from_what_is_full(tmp_path):
    from distributed import CancelledError
    from distributed.comm import CommClosedError

    run = a_run(tmp_path, Client())
    for error in (CancelledError("task"), CommClosedError()):
        assert failed(run, error).startswith("blocks: lost the scheduler, expected it to stay")
    assert failed(run, OSError(28, "No space left on device")).startswith(
        "blocks: y 0:4, x 4:8 failed (No space left on device), expected free space"
    )


def test_other_models_and_blocks(predict, image, tmp_path):
    for given, words in {
        "blocks=33": r"blocks: got \(33, 33\), expected multiples of \(16, 16\).* give \(48, 48\)",
        "blocks=(1, 32, 32)": r"expected 2 positive numbers",
        "blocks=0": r"expected 2 positive numbers",
        "max_memory=0.1": r"memory: got 0.1 GB, expected more",
    }.items():
        name, value = given.split("=")
        with pytest.raises(UserError, match=words):
            predict(image, out=tmp_path / "out.zarr", **{name: eval(value)})
    with pytest.raises(UserError, match=r"expected NAME\.zarr"):
        predict(image, out=tmp_path / "out.tif")
    np.save(tmp_path / "volume.npy", np.zeros((20, 80, 96), np.uint8))
    with pytest.raises(UserError, match=r"20"):
        predict(tmp_path / "volume.npy", out=tmp_path / "out.zarr")
    with pytest.raises(UserError, match="got lifted-multicut, expected mutex, waterz or multicut"):
        predict(image, out=tmp_path / "out.zarr", segmenter="lifted-multicut")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="of which no part can be read alone"):
        predict(tmp_path / "a.png", out=tmp_path / "out.zarr")
    assert not list(tmp_path.glob(".*"))


def test_arrays_travel_as_files(predict, image, tmp_path, monkeypatch):
    pixels = zarr.open_array(image, mode="r")[:]
    predict(image, out=tmp_path / "file.zarr")
    expected = labels_of(tmp_path / "file.zarr")
    sent = []
    original = Distributed._submit
    monkeypatch.setattr(
        Distributed, "_submit", lambda self, *given: sent.append(self.job.source.where) or original(self, *given)
    )
    predict(pixels, out=tmp_path / "array.zarr")
    assert {each.suffix for each in sent} == {".npy"}
    np.testing.assert_array_equal(labels_of(tmp_path / "array.zarr"), expected)
    monkeypatch.undo()
    predict(zarr.open_array(image, mode="r"), out=tmp_path / "zarr.zarr")
    np.testing.assert_array_equal(labels_of(tmp_path / "zarr.zarr"), expected)
    assert files(tmp_path / "zarr.zarr").keys() == files(tmp_path / "file.zarr").keys()


def test_dask_arrays(predict, image, tmp_path):
    import dask.array

    predict(dask.array.from_zarr(str(image)), out=tmp_path / "out.zarr")
    predict(image, out=tmp_path / "file.zarr")
    np.testing.assert_array_equal(labels_of(tmp_path / "out.zarr"), labels_of(tmp_path / "file.zarr"))
    heavy = dask.array.from_array(np.random.default_rng(0).integers(0, 255, (1024, 1200), np.uint8), chunks=512)
    with pytest.raises(UserError, match=r"got Array that holds 1 MB itself, expected one of files.* write it as zarr"):
        predict(heavy, out=tmp_path / "other.zarr")


def test_another_array_is_another_image(predict, image, tmp_path, monkeypatch):
    pixels = zarr.open_array(image, mode="r")[:]

    def failing(*_):
        raise UserError("stopped")

    monkeypatch.setattr("segraft.blocks.prediction.write", failing)
    with pytest.raises(UserError, match="stopped"):
        predict(pixels, out=tmp_path / "out.zarr")
    with pytest.raises(UserError, match="holds a run with other settings: image is"):
        predict(pixels + 1, out=tmp_path / "out.zarr")


def test_a_script_without_its_guard(image, tmp_path, monkeypatch):
    import multiprocessing

    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(SystemExit):
        blocks.predict("nuclei", image, out=tmp_path / "out.zarr")
