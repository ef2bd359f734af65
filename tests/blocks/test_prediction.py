"""Prediction in blocks on workers: the labels of the whole image, whatever stops it meanwhile."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import segraft
from segraft.blocks.running import Distributed
from segraft.blocks.work_folder import SETTINGS
from segraft.errors import UserError
from segraft.images.reading import read_image
from segraft.model.config import Segmentation
from shared.echo import job_of
from shared.in_blocks import same
from shared.stores import files, labels_of


def test_labels_are_those_of_the_whole_image(predict, image, tmp_path):
    count = predict(image, out=tmp_path / "out.zarr", table=tmp_path / "out.csv", outlines=tmp_path / "out.geojson")
    labels = labels_of(tmp_path / "out.zarr")
    assert count == labels.max() > 5
    assert same(labels, segraft.load("nuclei").predict(read_image(image)))
    assert len((tmp_path / "out.csv").read_text().splitlines()) == count + 1
    assert (tmp_path / "out.geojson").exists()
    assert not list(tmp_path.glob(".*"))


class Killed(BaseException):
    """In place of the death of the driver."""


@pytest.fixture
def dying(monkeypatch):
    """Lets the driver die once so many blocks are done, of a stage or of all."""

    def after(count, words=None):
        original, done = Distributed._result, []

        def result(self, future, number):
            if len(done) == count:
                monkeypatch.setattr(Distributed, "_result", original)
                raise Killed
            done.extend([number] if words in (None, self.took[-1].words) else [])
            return original(self, future, number)

        monkeypatch.setattr(Distributed, "_result", result)

    return after


def test_a_run_that_died_goes_on_to_the_same_files(predict, image, tmp_path, dying):
    def run(name):
        paths = [tmp_path / f"{name}{suffix}" for suffix in (".zarr", ".csv", ".geojson")]
        predict(image, out=paths[0], table=paths[1], outlines=paths[2])
        return files(paths[0]), paths[1].read_bytes(), paths[2].read_bytes()

    expected = run("undisturbed")
    for count in (13, 31):  # of 9 blocks in each of the stages, fewer in some
        dying(count)
        with pytest.raises(Killed):
            run(f"died{count}")
        assert (tmp_path / f".died{count}.blocks").exists()
        assert run(f"died{count}") == expected
        assert not (tmp_path / f".died{count}.blocks").exists()


@pytest.mark.parametrize("told", [{"scale": 1.5}, {"scale": 0.7}, {"object_size": "auto"}, {"object_size": 12.0}])
def test_at_another_size_labels_are_those_of_the_whole_image(predict, image, tmp_path, told):
    whole = segraft.load("nuclei").predict(read_image(image), **told)
    assert predict(image, out=tmp_path / "out.zarr", table=tmp_path / "out.csv", **told) == whole.max() > 3
    assert same(labels_of(tmp_path / "out.zarr"), whole)
    areas = [int(row.split(",")[1]) for row in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    assert sorted(areas) == sorted(np.bincount(whole.ravel())[1:].tolist())


def test_objects_that_the_size_of_the_image_does_not_show(predict, image, tmp_path, dying):
    told = {"scale": 3.0, "minimum_size": 0, "thickness": 0.0}  # hundreds of crumbs of less than a pixel
    whole = segraft.load("nuclei").predict(read_image(image), **told)
    predict = partial(predict, blocks=96)
    count = predict(image, out=tmp_path / "out.zarr", table=tmp_path / "out.csv", **told)
    labels = labels_of(tmp_path / "out.zarr")
    assert count == labels.max() == len(np.unique(labels[labels > 0])) == whole.max()
    assert same(labels, whole)
    rows = [int(row.split(",")[0]) for row in (tmp_path / "out.csv").read_text().splitlines()[1:]]
    assert rows == list(range(1, count + 1))
    assert predict(image, out=tmp_path / "out.zarr", **told) == count  # as the output itself says
    dying(4, "labels at the image's size")
    with pytest.raises(Killed):
        predict(image, out=tmp_path / "died.zarr", table=tmp_path / "died.csv", **told)
    for back in sorted(tmp_path.glob(".died.blocks/back/*/*.npz"))[1:]:  # more than four may be done by then
        back.unlink()
    assert predict(image, out=tmp_path / "died.zarr", table=tmp_path / "died.csv", **told) == count
    assert files(tmp_path / "died.zarr") == files(tmp_path / "out.zarr")


def test_a_run_that_is_done_says_so(predict, image, tmp_path, capsys):
    out = tmp_path / "out.zarr"
    count, before = predict(image, out=out), files(out)
    capsys.readouterr()
    assert predict(image, out=out, max_memory=3.0) == count
    assert capsys.readouterr().err == f"{out} is there, and complete\n"
    with pytest.raises(UserError, match=r"with other settings: blocks is \[48, 48\], was \[32, 32\]"):
        predict(image, out=out, blocks=48)
    with pytest.raises(UserError, match=r"is there, but not .*out.csv, expected both of one run"):
        predict(image, out=out, table=tmp_path / "out.csv")
    assert files(out) == before
    assert not list(tmp_path.glob(".*"))


def test_what_a_kill_left_is_removed(predict, image, tmp_path):
    out, folder = tmp_path / "out.zarr", tmp_path / ".out.blocks"
    count = predict(image, out=out)
    (folder / "written").mkdir(parents=True)
    assert predict(image, out=out) == count
    assert not folder.exists()


def test_other_settings_are_refused_meanwhile(predict, image, tmp_path, dying):
    out = tmp_path / "out.zarr"
    dying(3)
    with pytest.raises(Killed):
        predict(image, out=out)
    with pytest.raises(UserError, match=r"holds a run with other settings: blocks is .*was"):
        predict(image, out=out, blocks=48)
    predict(image, out=out, blocks="auto")  # what is not said stays


def test_another_size_of_pixels_is_another_run(predict, image, tmp_path, dying):
    out, table = tmp_path / "out.zarr", tmp_path / "out.csv"
    run = partial(predict, image, out=out, table=table, scale=1.0)
    dying(3, "writing")
    with pytest.raises(Killed):
        run(voxel_size=100.0)
    with pytest.raises(
        UserError, match=r"other settings: voxel size is \[200.0, 200.0\], was \[100.0, 100.0\]; expected"
    ):
        run(voxel_size=200.0)
    run(voxel_size=100.0)
    with pytest.raises(UserError, match=r"is there, with other settings: voxel size is None, was \[100.0, 100.0\]"):
        run()


def test_a_table_may_be_asked_for_later(predict, image, tmp_path, dying):
    dying(29)  # all labels are written
    with pytest.raises(Killed):
        predict(image, out=tmp_path / "out.zarr")
    count = predict(image, out=tmp_path / "out.zarr", table=tmp_path / "out.csv")
    assert len((tmp_path / "out.csv").read_text().splitlines()) == count + 1


def test_any_working_folder_will_do(predict, image, tmp_path, monkeypatch, dying):
    monkeypatch.chdir(tmp_path)
    dying(3)
    with pytest.raises(Killed):
        predict("cells.zarr", out="out.zarr")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert predict("../cells.zarr", out=tmp_path / "out.zarr") > 5


def dies_once(job, number):
    """A task whose worker is killed the first time."""
    mark = job.folder.path / f"tried{number}"
    if number == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    job.folder.save("stage", number, value=number)


def test_the_block_of_a_worker_that_died_is_tried_again(cluster, tmp_path):
    from distributed import Client

    job = job_of(tmp_path / "run", np.zeros((5, 8, 8), np.float32), (4, 4), Segmentation())
    job.folder.agree({})
    with Client(cluster) as client:
        run = Distributed(job, client)
        run("stage", "trying", dies_once, range(4))
    assert [int(job.folder.load("stage", number)["value"]) for number in range(4)] == [0, 1, 2, 3]
    assert run.took[0].retries >= 1
    assert "tried again, at most" in run.summary()[0]


def test_workers_that_do_not_see_the_folder(cluster, tmp_path):
    from distributed import Client

    job = job_of(tmp_path / "run", np.zeros((5, 8, 8), np.float32), (4, 4), Segmentation())
    with Client(cluster) as client, pytest.raises(UserError, match=r"is not there on .*, expected a folder that all"):
        Distributed(job, client)("stage", "trying", dies_once, range(4))
    assert not (tmp_path / "run" / SETTINGS).exists()


def test_the_order_of_blocks_does_not_matter(predict, image, tmp_path, monkeypatch):
    predict(image, out=tmp_path / "one.zarr")
    original = Distributed.__call__
    monkeypatch.setattr(
        Distributed, "__call__", lambda self, *given: original(self, *given[:3], list(given[3])[::-1], *given[4:])
    )
    predict(image, out=tmp_path / "other.zarr")
    assert files(tmp_path / "one.zarr") == files(tmp_path / "other.zarr")


def test_an_image_without_objects(predict, tmp_path, capsys):
    np.save(tmp_path / "empty.npy", np.full((80, 96), 7, np.uint8))
    assert predict(tmp_path / "empty.npy", out=Path(tmp_path / "out.zarr"), table=tmp_path / "out.csv") == 0
    assert "nothing found" in capsys.readouterr().err
    assert not labels_of(tmp_path / "out.zarr").any()
