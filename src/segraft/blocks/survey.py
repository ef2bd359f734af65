"""The first look at an image: grey values of each block, and what tells later that the image changed."""

from __future__ import annotations

import math
from functools import partial
from zlib import crc32

import numpy as np

from segraft.blocks.job import Job
from segraft.blocks.stages import Run
from segraft.images.normalisation import Normalisation, Scale, check_pixels
from segraft.images.scale_by_parts import measure_part, scale_of_parts
from segraft.images.survey import with_margin
from segraft.images.windows import Window, in_words
from segraft.model.tiling import within
from segraft.terminal.progress import say

SURVEY = "survey"
"""Stage: grey values and checksum of a block."""


def scale_of(job: Job, run: Run, normalisation: Normalisation | None) -> tuple[Scale | None, int]:
    """Look at all blocks and return the scale of the image, None where it is given, and how many blocks lack chunks.

    Raises ``UserError`` for pixels that cannot be scaled.
    """
    blocks = range(len(job.image_grid))
    run(SURVEY, "grey values", partial(survey_block, normalisation=normalisation), blocks, job.image_grid)
    absent = sum(int(job.folder.load(SURVEY, block, "absent")["absent"]) > 0 for block in blocks)
    if normalisation is None:
        return None, absent
    scale = scale_of_parts(lambda: (job.folder.load(SURVEY, block) for block in blocks), normalisation)
    if scale.sampled:
        say(
            f"{job.source.name} has too many different grey values to count: percentiles are those of {scale.sampled} "
            f"evenly spaced pixels of {math.prod(job.image_grid.space)}"
        )
    return scale, absent


def survey_block(job: Job, number: int, normalisation: Normalisation | None) -> None:
    """Measure the grey values of a block, where they are needed, and keep a checksum of its pixels."""
    core, space = job.image_grid.box(number), job.image_grid.space
    window = core if normalisation is None or normalisation.percentiles else with_margin(core, space)
    with job.source.open() as image:
        pixels = image.read(window)
        absent = image.absent(core)
    measured = {}
    if normalisation is None:
        check_pixels(pixels, f"{job.source.name}, {in_words(core)}")
    else:
        measured = measure_part(partial(cut, pixels, window), core, space, normalisation, job.source.name)
    own = {"crc": checksum(cut(pixels, window, core)), "absent": absent, "written": job.written}
    job.folder.save(SURVEY, number, **own, **measured)


def cut(pixels: np.ndarray, window: Window, box: Window) -> np.ndarray:
    """Cut a box ``(C, *box)`` out of the pixels ``(C, *window)`` of a window around it."""
    return pixels[(slice(None), *within(box, window))]


def checksum(pixels: np.ndarray) -> int:
    """CRC-32 of pixels in C order."""
    return crc32(np.ascontiguousarray(pixels).view(np.uint8).data)
