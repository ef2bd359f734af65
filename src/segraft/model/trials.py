"""Trials of segmentations on images with labels: the network runs once for each image."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.labels.masks import Masks
from segraft.metrics.scores import choosing
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.config import Segmentation
from segraft.model.maps import Maps
from segraft.model.model import Model
from segraft.model.options import PredictOptions
from segraft.terminal.progress import messages, track
from segraft.types import Offsets

IN_MEMORY = 2e9
"""Bytes of affinities that are kept in memory; those of further images lie in temporary files."""
Result = dict[str, float | int]


@dataclass(frozen=True)
class Seen:
    """What the network says of an image, and its true labels."""

    name: str
    maps: Maps
    labels: np.ndarray

    def score(self, candidate: Segmentation, offsets: Offsets) -> Result:
        """Segment and score it."""
        try:
            inside = self.maps.probability > candidate.foreground_threshold
            return evaluate(candidate.segment(self.maps.affinities, offsets, inside), self.labels)
        except UserError as error:
            raise UserError(f"{self.name}: {error}") from error


@contextmanager
def looked_at(model: Model, samples: Sequence, options: PredictOptions, masks: Masks) -> Iterator[list[Seen]]:
    """Run the network over all images with labels; what it says of them is kept meanwhile, in memory or in files.

    ``masks`` looks at the labels.
    """
    seen: list[Seen] = []
    with ExitStack() as stack:
        kept = 0.0
        for index in track(range(len(samples)), "network", messages()):
            sample = samples[index]
            if sample.labels is None:
                continue
            try:
                image = model.channels_first(sample.image)
                kept += 4.0 * len(model.offsets) * sample.labels.size
                maps = stack.enter_context(model.maps(image, options, stored=kept > IN_MEMORY))
            except UserError as error:
                raise UserError(f"{sample.name}: {error}") from error
            masks.look(sample.name, sample.labels)
            seen.append(Seen(sample.name, maps, sample.labels))
        if not seen:
            raise UserError(f"got {len(samples)} images, none with labels; expected at least one to score; add labels")
        yield seen


@dataclass
class Trials:
    """Scores of all settings that were tried, each over all images."""

    seen: list[Seen]
    offsets: Offsets
    score: str
    tell: Callable[[str], None]
    of_all: Callable[[list[Result]], list[Result]] = list
    """Turns the results of ``seen`` into those of all images, where other processes have seen some."""
    known: list[tuple[Segmentation, Result]] = field(default_factory=list)

    def scores(self, candidate: Segmentation) -> Result:
        """Mean scores of a candidate, computed once; images are segmented side by side."""
        for segmentation, result in self.known:
            if segmentation == candidate:
                return result
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            own = list(pool.map(lambda each: each.score(candidate, self.offsets), self.seen))
        result = summarise(self.of_all(own))
        self.known.append((candidate, result))
        rank = choosing(self.score).rank
        best = max((each[self.score] for _, each in self.known), key=rank)
        self.tell(f"settings tried: {len(self.known)}, best {self.score} {best:.4f}")
        return result

    def ranked(self, segmenter: str) -> list[dict[str, Any]]:
        """Settings of a segmenter and their scores, the best first; of equal ones the first tried."""
        rank = choosing(self.score).rank
        own = [each for each in self.known if each[0].segmenter == segmenter]
        own.sort(key=lambda each: -rank(each[1][self.score]))
        return [{"segmentation": candidate, "scores": result} for candidate, result in own]
