"""The last stages: what is written beside the labels."""

from __future__ import annotations

import json

import numpy as np

from segraft.blocks.stages import Found
from segraft.blocks.writing import write, write_measured
from segraft.model.config import Segmentation
from shared.echo import DIM, job_of
from shared.in_blocks import Serial


def one_object(job, number):
    """All of the image but a border of 8 pixels, and a small one that crosses a face."""
    labels = np.zeros(job.space, np.uint64)
    labels[8:-8, 8:-8], labels[3:5, 316:324] = 1, 2
    return labels[job.grid.box(number)]


def outlined(folder, largest):
    """Features of both objects, in an image of 600 × 640 pixels in four blocks."""
    job = job_of(folder, np.zeros((DIM + 1, 600, 640), np.float32), (300, 320), Segmentation(), largest=largest)
    write(job, Serial(job), Found(2, one_object, 0), True, None, {})
    write_measured(job, Serial(job), None, folder / "a.geojson", None)
    return json.loads((folder / "a.geojson").read_text())["features"]


def test_objects_that_outgrow_a_worker_are_outlined_coarsely_and_it_is_said(tmp_path, capsys):
    (exact, small), (coarse, same) = outlined(tmp_path / "much", 10**7), outlined(tmp_path / "little", 1)
    assert exact["geometry"]["coordinates"] == [[[8, 8], [632, 8], [632, 592], [8, 592], [8, 8]]]
    assert "coarse" not in exact["properties"]
    assert coarse == exact | {"properties": exact["properties"] | {"coarse": 2}}
    assert same == small
    (told,) = capsys.readouterr().err.splitlines()
    assert told == (
        "objects that reach over more pixels than a worker's memory holds were outlined coarsely: 1, in steps of up to "
        "2 pixels (coarse in their properties); give more --max-memory, and another output, to outline them exactly"
    )
