"""Validation: the network runs over one image while the one before is segmented and scored."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.model import Maps, Model
from segraft.model.options import PredictOptions
from segraft.reporting.page import PICTURES
from segraft.reporting.view import View, shown_region, view
from segraft.settings import TrainSettings
from segraft.types import Sample

Scores = dict[str, float | int]


@dataclass(frozen=True)
class Judged:
    """One image: its scores where the truth is known, and what a report shows of it where it shows it."""

    scores: Scores | None
    view: View | None


@dataclass
class Validation:
    """The validation images, read once, and what the last run over them gave.

    ``views`` are the first few images as a report shows them.
    """

    samples: Sequence[Sample]
    pictures: int = PICTURES
    views: list[View] = field(default_factory=list)

    def run(self, model: Model) -> Scores:
        """Segment the images, score those with labels, keep the views; see ``summarise``."""
        judged: list[Judged] = []
        with ThreadPoolExecutor(1) as pool:
            waiting: Future[Judged] | None = None
            for number, sample in enumerate(self.samples):
                if sample.labels is None and number >= self.pictures:
                    continue
                job = self._start(model, sample, shown=number < self.pictures)
                if waiting is not None:
                    judged.append(waiting.result())
                waiting = pool.submit(job.finish)
            if waiting is not None:
                judged.append(waiting.result())
        self.views = [each.view for each in judged if each.view is not None]
        return summarise([each.scores for each in judged if each.scores is not None])

    def _start(self, model: Model, sample: Sample, shown: bool) -> Job:
        """Run the network over one image."""
        image, stack = model.channels_first(sample.image), ExitStack()
        region = shown_region(image.shape[1:]) if shown else None
        return Job(model, sample, stack, stack.enter_context(model.maps(image, PredictOptions(), region)))


@dataclass(frozen=True)
class Job:
    """What the network says of an image, to be segmented and scored; ``stack`` closes what it is kept in."""

    model: Model
    sample: Sample
    stack: ExitStack
    maps: Maps

    def finish(self) -> Judged:
        """Segment, score and cut out what is shown."""
        with self.stack:
            labels = self.model.labels(self.maps, PredictOptions(), self.maps.probability.shape)
        truth = self.sample.labels
        shown = None if self.maps.embedding is None else view(labels, self.maps.embedding, self.sample)
        return Judged(None if truth is None else evaluate(labels, np.asarray(truth)), shown)


def open_validation(settings: TrainSettings, model: Model, pictures: int = PICTURES) -> Validation:
    """Read the images to choose the best model by; a bad one is answered before training, not hours later.

    Raises ``UserError`` for an image that cannot be used, and where none has labels.
    """
    samples = open_dataset(settings.dataset, settings.root, "val", **settings.options)[: settings.validation_images]
    read = []
    for sample in samples:
        try:
            model.config.normalisation.scale(model.channels_first(sample.image))
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
        read.append(sample)
    if all(sample.labels is None for sample in read):
        raise UserError(
            f"got {len(read)} validation images of {settings.dataset}, none with labels; expected at least one to "
            "choose the best model by; add labels"
        )
    return Validation(read, pictures)
