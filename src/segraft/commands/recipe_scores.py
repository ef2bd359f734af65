"""Score what a recipe trained on the test images."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path

import numpy as np

from segraft.commands.scored_images import ScoredImages
from segraft.data import open_dataset
from segraft.files import digest
from segraft.metrics.scoring import evaluate
from segraft.model.model import Model, load
from segraft.model.model_file import locate
from segraft.paper import Recipe
from segraft.paper.protocols import chosen as protocols_of
from segraft.segment import SEGMENTERS
from segraft.segment.filling import fill
from segraft.terminal.progress import messages, track
from segraft.types import Sample

Scores = dict[str, float | int]
Images = dict[str, dict[str, dict[str, Scores]]]
"""By protocol, segmentation and image."""


def score(chosen: Recipe, folder: Path, root: str | Path | None, device: str = "auto") -> Images:
    """Score a recipe's run folder on the test images: by protocol, segmentation, then image.

    What an interrupted call scored is not scored again; `remove_partial` when the scores are written.
    Raises ``UserError`` where the model or the data cannot be read.
    """
    settings = chosen.settings
    loaded = load(folder, device)
    samples = open_dataset(settings.dataset, root, "test", **settings.options)
    protocols = protocols_of("both", settings.dataset)
    scores: Images = {each.name: {name: {} for name in chosen.segmentations} for each in protocols}
    partial = _partial(chosen, folder, len(samples))
    known = partial.read()
    partial.begin(known)
    for index in track(range(len(samples)), "scoring", messages()):
        sample = samples[index]
        if sample.name not in known:
            labels = segment(loaded, sample, chosen)
            known[sample.name] = {
                protocol.name: {
                    name: evaluate(each, np.asarray(sample.labels), protocol) for name, each in labels.items()
                }
                for protocol in protocols
            }
            partial.add(sample.name, known[sample.name])
        for protocol, name in product(protocols, chosen.segmentations):
            scores[protocol.name][name][sample.name] = known[sample.name][protocol.name][name]
    return scores


def remove_partial(chosen: Recipe, folder: Path) -> None:
    """Remove what `score` keeps while it goes on."""
    _partial(chosen, folder, 0).remove()


def _partial(chosen: Recipe, folder: Path, count: int) -> ScoredImages:
    segmentations = {name: asdict(each) for name, each in chosen.segmentations.items()}
    return ScoredImages.of(
        folder, model=digest(locate(folder)), recipe=chosen.name, images=count, segmentations=segmentations
    )


def segment(model: Model, sample: Sample, chosen: Recipe) -> dict[str, np.ndarray]:
    """Segment a sample in all ways of a recipe, from one pass of the network: labels ``(*space)`` by segmentation.

    The minimum size is the recipe's where it has one, so that all models of a table are segmented alike.
    """
    affinities, probability = model.affinities(sample.image)
    stored = model.config.segmentation
    inside = {
        "learnt": lambda: probability > stored.foreground_threshold,
        "truth": lambda: np.asarray(sample.labels) > 0,
        "none": lambda: None,
    }[chosen.foreground]()
    minimum = chosen.settings.minimum_size
    rules = {"thickness": stored.thickness, "minimum_size": stored.minimum_size if minimum is None else minimum}
    found = {
        name: SEGMENTERS[each.segmenter](affinities, model.offsets, inside, **rules, **each.settings)
        for name, each in chosen.segmentations.items()
    }
    if not stored.fill or chosen.foreground == "truth":
        return found
    return {name: fill(labels, affinities) for name, labels in found.items()}
