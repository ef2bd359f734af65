"""What the network says of a block, and how often pixels are read for it."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.blocks import maps as of_blocks
from segraft.blocks import separate
from segraft.blocks.maps import maps
from segraft.blocks.survey import survey_block
from segraft.blocks.writing import write
from segraft.images.lazy import OpenSource
from segraft.images.windows import whole
from segraft.model.config import Segmentation
from segraft.model.tiling import within
from shared.echo import cells, echo, job_of
from shared.in_blocks import Serial


@pytest.fixture(autouse=True)
def echoing(monkeypatch):
    monkeypatch.setattr(of_blocks, "opened", echo)


@pytest.fixture
def reads(monkeypatch):
    """The boxes that are read, as they are."""
    original, boxes = OpenSource.read, []
    monkeypatch.setattr(OpenSource, "read", lambda self, box: boxes.append(box) or original(self, box))
    return boxes


@pytest.mark.parametrize("space", [(70, 90), (6, 40, 50)])
def test_a_block_and_what_surrounds_it_are_read_once(tmp_path, reads, space):
    image = cells(0, space)
    job = job_of(tmp_path, image, (32,) * len(space), Segmentation(), tile=(8,) * len(space))
    alone = job_of(tmp_path, image, space, Segmentation())
    expected = maps(alone, 0, whole(space))
    for number, box in enumerate(job.grid):
        survey_block(job, number, None)
        reads.clear()
        found = maps(job, number, box)
        (seen,) = reads
        assert all(side.start <= own.start and own.stop <= side.stop for side, own in zip(seen, box, strict=True))
        assert sum(side.stop - side.start for side in seen) <= sum(
            own.stop - own.start + 2 * max(max(map(abs, offset)) for offset in job.offsets) for own in box
        )
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other[(..., *box)])


def test_what_is_mirrored_from_further_away_is_read_as_well(tmp_path):
    image = cells(0, (40, 60))
    job = job_of(tmp_path, image, (20, 20), Segmentation())
    seen, far = (slice(0, 25), slice(0, 25)), (slice(3, 30), slice(0, 9))
    with job.source.open() as opened:
        read = of_blocks._read_once(job, 0, opened, seen)
        for box in (far, (slice(2, 25), slice(0, 3))):
            np.testing.assert_array_equal(read(box), image[(slice(None), *within(box, whole((40, 60))))])


@pytest.mark.parametrize("measured", [False, True])
def test_labels_are_written_and_measured_in_one_reading(tmp_path, reads, measured):
    job = job_of(tmp_path, cells(0, (60, 40)), (32, 32), Segmentation())
    found = separate.segment(job, Serial(job))
    reads.clear()
    write(job, Serial(job), found, measured, None, {"objects": found.objects})
    assert reads == list(job.grid)
