"""Score what a recipe trained on the test images."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np

from segraft.data import open_dataset
from segraft.metrics.scoring import evaluate
from segraft.model.model import Model, load
from segraft.paper import Recipe
from segraft.paper.protocols import chosen as protocols_of
from segraft.segment import SEGMENTERS
from segraft.segment.filling import fill
from segraft.terminal.progress import messages, track
from segraft.types import Sample

Scores = dict[str, float | int]
Images = dict[str, dict[str, dict[str, Scores]]]
"""By protocol, segmentation and image."""


def score(chosen: Recipe, model: str | Path, root: str | Path | None, device: str = "auto") -> Images:
    """Score a recipe's model, a run folder or file, on the test images: by protocol, segmentation, then image.

    Raises ``UserError`` where the model or the data cannot be read.
    """
    settings = chosen.settings
    loaded = load(model, device)
    samples = open_dataset(settings.dataset, root, "test", **settings.options)
    protocols = protocols_of("both", settings.dataset)
    scores: Images = {each.name: {name: {} for name in chosen.segmentations} for each in protocols}
    for index in track(range(len(samples)), "scoring", messages()):
        sample = samples[index]
        labels = segment(loaded, sample, chosen)
        for protocol, (name, each) in product(protocols, labels.items()):
            scores[protocol.name][name][sample.name] = evaluate(each, np.asarray(sample.labels), protocol)
    return scores


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
