"""The first look at an image: its scale, and what a user is told of it."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.blocks.survey import scale_of
from segraft.images import scale_by_parts
from segraft.images.normalisation import Normalisation
from segraft.model.config import Segmentation
from shared.echo import job_of
from shared.in_blocks import Serial

PERCENTILES = Normalisation((1.0, 99.8), compressed=False)


@pytest.mark.parametrize(("values", "sampled"), [(200, False), (2**31 - 1, True)])
def test_percentiles_of_some_pixels_are_told(tmp_path, monkeypatch, capsys, values, sampled):
    monkeypatch.setattr(scale_by_parts, "SAMPLE", 1000)
    monkeypatch.setattr(scale_by_parts, "MOST", 1000)
    image = np.random.default_rng(0).integers(0, values, (1, 60, 50)).astype(np.int32)
    job = job_of(tmp_path, image, (20, 30), Segmentation())
    found, absent = scale_of(job, Serial(job), PERCENTILES)
    assert absent == 0
    assert found == PERCENTILES.scale(image.reshape(1, -1)[:, :: 3 if sampled else 1])
    told = (
        "an image has too many different grey values to count: percentiles are those of 1000 evenly spaced pixels "
        "of 3000"
    )
    assert capsys.readouterr().err.splitlines() == ([told] if sampled else [])
