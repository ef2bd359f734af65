"""Validation: the network runs over one image while the one before is segmented and scored.

Processes that train together share the images out, and all get what one alone would get.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from segraft import ranks
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.images.windows import Window
from segraft.metrics.scoring import evaluate, summarise
from segraft.metrics.usual import usual_score
from segraft.model.config import Segmentation
from segraft.model.maps import Maps
from segraft.model.model import Model
from segraft.model.options import PredictOptions
from segraft.model.search import Number, best_of, values_of, with_own, with_values
from segraft.model.trials import Seen, Trials
from segraft.reporting.page import PICTURES
from segraft.reporting.view import View, shown_region, view
from segraft.settings import TrainSettings
from segraft.training.thresholds import PIXELS, SEARCHED, THRESHOLDS, best_threshold, seen_part, trial_parts
from segraft.types import Sample

Scores = dict[str, float | int]


@dataclass(frozen=True)
class Judged:
    """One image: its scores where the truth is known, and what a report shows of it where it shows it."""

    scores: Scores | None
    view: View | None


@dataclass(frozen=True)
class Tuned:
    """The segmentation that a search found, and what it is worth."""

    segmentation: Segmentation
    before: float
    """Score, on the images of the search, of the segmentation that it began at."""
    after: float
    images: int
    """Images that were searched on."""
    scores: Scores
    """Scores of all validation images, as `Validation.run` gives them."""

    def __str__(self) -> str:
        """What was found, in words."""
        values = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in _numbers(self.segmentation))
        return f"{self.before:.4f} → {self.after:.4f} on {self.images} validation images with {values}"


def _numbers(segmentation: Segmentation) -> list[tuple[str, Number]]:
    """The settings of a segmentation that are numbers, by name."""
    return [(name, value) for name, value in values_of(segmentation).items() if isinstance(value, Number)]


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
        return trial_parts(self.samples, PIXELS)

    def _own(self) -> list[int]:
        """The images that this process judges: those with labels, or shown; of several ranks each has a part."""
        judged = [k for k, sample in enumerate(self.samples) if sample.labels is not None or k < self.pictures]
        return list(ranks.dealt(judged))

    def run(self, model: Model) -> Scores:
        """Choose the threshold, segment the images, score those with labels, keep the views; see ``summarise``.

        Also returned is the ``foreground_threshold`` at which the images were segmented.
        """
        with ExitStack() as stack:
            begun: dict[int, Job] = {}
            self.threshold = threshold = self._choose(model, begun, stack)
            chosen = replace(model.config.segmentation, foreground_threshold=threshold)
            return self._judge(model, chosen, begun, stack)

    def tune(self, model: Model, fixed: Mapping[str, Number], tell: Callable[[str], None]) -> Tuned | None:
        """Search the best segmentation from the model's own on, on a part of the images; then do as ``run`` with it.

        Settings that are ``fixed`` stay. ``tell`` learns how far the search has come. None where nothing is better, or
        no image has an object to choose by.
        """
        parts = trial_parts(self.samples, SEARCHED[model.geometry.ndim])
        if not parts:
            return None
        with ExitStack() as stack:
            begun: dict[int, Job] = {}
            seen = self._see(model, parts, begun, stack)
            trials, stored = Trials(seen, model.offsets, self.monitor, tell), model.config.segmentation
            start = with_values(with_own(stored), fixed)
            found = best_of(trials, [start], {name: (value,) for name, value in fixed.items()})
            before, after = (float(trials.scores(each)[self.monitor]) for each in (start, found))
            if found == start:
                return None
            return Tuned(found, before, after, len(seen), self._judge(model, found, begun, stack))

    def _choose(self, model: Model, begun: dict[int, Job], stack: ExitStack) -> float:
        """The best foreground threshold; jobs of images that it was tried on are ``begun``."""
        stored = model.config.segmentation.foreground_threshold
        thresholds = list(dict.fromkeys((stored, *self.thresholds)))
        if len(thresholds) == 1 or not self._parts:
            return stored
        own = set(self._own())
        parts = {number: part for number, part in self._parts.items() if number in own}

        def of_all(results: list[Scores]) -> list[Scores]:
            return list(ranks.merged(dict(zip(parts, results, strict=True))).values())

        return best_threshold(model, self._see(model, parts, begun, stack), self.monitor, thresholds, of_all)

    def _see(self, model: Model, parts: Mapping[int, Window], begun: dict[int, Job], stack: ExitStack) -> list[Seen]:
        """What the network says of parts of images, whose jobs are then ``begun``."""
        begun.update({number: self._start(model, number, stack) for number in parts})
        return [seen_part(self.samples[number], begun[number].maps, part) for number, part in parts.items()]

    def _judge(self, model: Model, chosen: Segmentation, begun: dict[int, Job], stack: ExitStack) -> Scores:
        """Segment and score the images, one while the network sees the next that is not ``begun``; keep the views."""
        own: dict[int, Judged] = {}
        with ThreadPoolExecutor(1) as pool:
            waiting: tuple[int, Future[Judged]] | None = None
            for number in self._own():
                job = begun.pop(number) if number in begun else self._start(model, number, stack)
                if waiting is not None:
                    own[waiting[0]] = waiting[1].result()
                waiting = number, pool.submit(job.finish, chosen)
            if waiting is not None:
                own[waiting[0]] = waiting[1].result()
        judged = ranks.merged(own).values()
        self.views = [each.view for each in judged if each.view is not None]
        scores = summarise([each.scores for each in judged if each.scores is not None])
        return {**scores, "foreground_threshold": chosen.foreground_threshold}

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

    def finish(self, chosen: Segmentation) -> Judged:
        """Segment, score and cut out what is shown."""
        model = Model(self.model.runner, replace(self.model.config, segmentation=chosen))
        with self.stack:
            labels = model.labels(self.maps, PredictOptions(), self.maps.probability.shape)
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
