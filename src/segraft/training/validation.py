"""Validation: the network runs over one image while the one before is segmented and scored."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.images.windows import Window
from segraft.metrics.scoring import evaluate, summarise
from segraft.metrics.usual import usual_score
from segraft.model.model import Maps, Model
from segraft.model.options import PredictOptions
from segraft.reporting.page import PICTURES
from segraft.reporting.view import View, shown_region, view
from segraft.settings import TrainSettings
from segraft.training.thresholds import THRESHOLDS, best_threshold, seen_part, trial_parts
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

    Parameters
    ----------
    samples : the images, some of them without labels
    pictures : of how many, the first ones, a report shows ``views``
    monitor : score that chooses the foreground threshold
    thresholds : foreground thresholds to choose from, beside the model's own, which stays where none is better
    """

    samples: Sequence[Sample]
    pictures: int = PICTURES
    monitor: str = "pq_pooled"
    thresholds: Sequence[float] = ()
    views: list[View] = field(default_factory=list, init=False)
    threshold: float | None = field(default=None, init=False)
    """The foreground threshold that the last run chose."""

    @cached_property
    def _parts(self) -> dict[int, Window]:
        return trial_parts(self.samples)

    def run(self, model: Model) -> Scores:
        """Choose the threshold, segment the images, score those with labels, keep the views; see ``summarise``.

        Also returned is the ``foreground_threshold`` at which the images were segmented.
        """
        with ExitStack() as stack:
            begun: dict[int, Job] = {}
            self.threshold = threshold = self._choose(model, begun, stack)
            judged = self._judge(model, PredictOptions(foreground_threshold=threshold), begun, stack)
        self.views = [each.view for each in judged if each.view is not None]
        scores = summarise([each.scores for each in judged if each.scores is not None])
        return {**scores, "foreground_threshold": threshold}

    def _choose(self, model: Model, begun: dict[int, Job], stack: ExitStack) -> float:
        """The best foreground threshold; jobs of images that it was tried on are ``begun``."""
        stored = model.config.segmentation.foreground_threshold
        thresholds = list(dict.fromkeys((stored, *self.thresholds)))
        if len(thresholds) == 1 or not self._parts:
            return stored
        begun.update({number: self._start(model, number, stack) for number in self._parts})
        seen = [seen_part(self.samples[number], begun[number].maps, part) for number, part in self._parts.items()]
        return best_threshold(model, seen, self.monitor, thresholds)

    def _judge(self, model: Model, options: PredictOptions, begun: dict[int, Job], stack: ExitStack) -> list[Judged]:
        """Segment and score the images, one while the network sees the next that is not ``begun``."""
        judged: list[Judged] = []
        with ThreadPoolExecutor(1) as pool:
            waiting: Future[Judged] | None = None
            for number, sample in enumerate(self.samples):
                if sample.labels is None and number >= self.pictures:
                    continue
                job = begun.pop(number) if number in begun else self._start(model, number, stack)
                if waiting is not None:
                    judged.append(waiting.result())
                waiting = pool.submit(job.finish, options)
            if waiting is not None:
                judged.append(waiting.result())
        return judged

    def _start(self, model: Model, number: int, stack: ExitStack) -> Job:
        """Run the network over one image; ``stack`` closes what has not been finished."""
        sample, kept = self.samples[number], ExitStack()
        stack.callback(kept.close)
        image = model.channels_first(sample.image)
        region = shown_region(image.shape[1:]) if number < self.pictures else None
        return Job(model, sample, kept, kept.enter_context(model.maps(image, PredictOptions(), region)))


@dataclass(frozen=True)
class Job:
    """What the network says of an image, to be segmented and scored; ``stack`` closes what it is kept in."""

    model: Model
    sample: Sample
    stack: ExitStack
    maps: Maps

    def finish(self, options: PredictOptions) -> Judged:
        """Segment, score and cut out what is shown."""
        with self.stack:
            labels = self.model.labels(self.maps, options, self.maps.probability.shape)
        truth = self.sample.labels
        shown = None if self.maps.embedding is None else view(labels, self.maps.embedding, self.sample)
        return Judged(None if truth is None else evaluate(labels, np.asarray(truth)), shown)


def open_validation(settings: TrainSettings, model: Model, pictures: int = PICTURES) -> Validation:
    """Read the images to choose the best model by; a bad one is answered before training, not hours later.

    Where the settings name no score, or no foreground threshold, the images decide.
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
    truths = (np.asarray(sample.labels) for sample in read if sample.labels is not None)
    monitor = settings.monitor or usual_score(truths, model.geometry.ndim, settings.border is not None)
    return Validation(read, pictures, monitor, THRESHOLDS if settings.foreground_threshold is None else ())
