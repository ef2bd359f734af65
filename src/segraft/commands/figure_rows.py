"""Rows of the figures that show images: segmentations with their mistakes, neurons, embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from segraft.commands.contenders import Contender
from segraft.errors import UserError
from segraft.images.normalisation import Normalisation
from segraft.images.windows import central
from segraft.metrics.scoring import evaluate
from segraft.paper.figures import ALONE, GRAPH, TEACHER
from segraft.reporting.error_map import error_map
from segraft.reporting.marked import MARKED, counted, marked, place, window_of
from segraft.reporting.neurons import MEANING, neuron_rows
from segraft.reporting.panels import Panel, Row
from segraft.reporting.pictures import grey_or_colour, label_colours
from segraft.reporting.projection import fit_projection
from segraft.terminal.progress import messages, track
from segraft.types import Sample

SIDE = 256
"""Pixels per axis that are shown of an image."""
SCORE = "aji"
FINE = (1.0, 99.8)
"""Percentiles of the pixels of a window that become black and white."""
MISTAKES = (
    "An object belongs to the one of the other image with which it shares most pixels: a true one is split where two "
    "or more predicted ones belong to it, a predicted one merged where two or more true ones do. Words below a picture "
    "count the whole image."
)
PROJECTED = (
    "Unit embeddings of all models together have one mean and three main components, which are red, green and blue: "
    "the same colour is the same direction in all columns. A student alone has directions of its own: compare its "
    "shades, not its colours."
)
PARTED = (
    "The largest neurons. Below a model: the predicted objects that hold at least 1 % of the neuron, and how many of "
    "them are merged, because most of another true object as large as that lies in them, too."
)
Rows = tuple[list[Row], list[str], Mapping[str, str], list[str]]
"""Rows, the names of their columns, the legend, and lines for the caption."""
Window = tuple[slice, slice]


@dataclass(frozen=True)
class Ranked:
    """An image of the split and what two models score on it."""

    number: int
    name: str
    scores: tuple[float, ...]

    @property
    def difference(self) -> float:
        """By how much the second model is better."""
        return self.scores[-1] - self.scores[0]


def compared(contenders: Sequence[Contender]) -> tuple[Contender, ...]:
    """The two models whose differences decide which images are shown: alone and graph, or the first and last student.

    A single model is returned alone.
    """
    students = [each for each in contenders if each.name != TEACHER] or list(contenders)
    by_name = {each.name: each for each in students}
    if ALONE in by_name and GRAPH in by_name:
        return by_name[ALONE], by_name[GRAPH]
    return (students[0], students[-1]) if len(students) > 1 else (students[0],)


def ranking(samples: Sequence, pair: Sequence[Contender]) -> list[Ranked]:
    """Images with a truth, those on which two models differ most first; of one model, its worst first.

    Scores that runs have are taken; other images are segmented. Raises ``UserError`` where no image has a truth.
    """
    ranked = []
    for number in track(range(len(samples)), "comparing", messages()):
        sample = samples[number]
        if sample.labels is not None:
            ranked.append(Ranked(number, sample.name, tuple(_score(each, sample) for each in pair)))
    if not ranked:
        raise UserError("dataset: got no image with a truth, expected masks to compare with; choose another split")
    if len(pair) == 1:
        return sorted(ranked, key=lambda each: each.scores[0])
    return sorted(ranked, key=lambda each: -abs(each.difference))


def _score(contender: Contender, sample: Sample) -> float:
    known = contender.known_score(sample.name, SCORE)
    return known if known is not None else float(evaluate(contender.labels(sample), _truth(sample))[SCORE])


def _truth(sample: Sample) -> np.ndarray:
    if sample.labels is None:
        raise UserError(f"{sample.name}: got no labels, expected a truth; choose another split")
    return np.asarray(sample.labels)


def segmentation_rows(samples: Sequence, contenders: Sequence[Contender], count: int) -> Rows:
    """The image, the truth and each model's labels with their mistakes, of the images on which two models differ most.

    Raises ``UserError`` where no image has a truth.
    """
    pair = compared(contenders)
    ranked = ranking(samples, pair)
    rows = [_segmentations(samples[each.number], contenders, pair) for each in ranked[:count]]
    columns = ["image", "truth", *(each.title for each in contenders)]
    means = [f"{each.title} {fmean(one.scores[k] for one in ranked):.3f}" for k, each in enumerate(pair)]
    order = f"on which {pair[0].title} and {pair[-1].title} differ most" if len(pair) > 1 else "that score least"
    lines = [
        f"The {len(rows)} of {len(ranked)} images {order} in AJI, where labels differ most: {_names(rows)}.",
        f"Mean AJI of all of them, protocol ours: {', '.join(means)}.",
        MISTAKES,
    ]
    return rows, columns, MARKED, lines


def _segmentations(sample: Sample, contenders: Sequence[Contender], pair: Sequence[Contender]) -> Row:
    truth = np.maximum(_truth(sample), 0)
    labels = {each.name: each.labels(sample) for each in contenders}
    errors = {name: error_map(each, _truth(sample)) for name, each in labels.items()}
    first, last = (errors[each.name].classes for each in (pair[0], pair[-1]))
    window = window_of(first != last if len(pair) > 1 else labels[pair[0].name] != truth, SIDE)
    panels = [
        Panel(_picture(sample, window), place(window, truth.shape)),
        Panel(label_colours(truth)[tuple(slice(2 * each.start, 2 * each.stop) for each in window)], _objects(truth)),
    ]
    for each in contenders:
        of_model = errors[each.name]
        score = evaluate(labels[each.name], _truth(sample))[SCORE]
        drawn = marked(labels[each.name], truth, of_model, window)
        panels.append(Panel(drawn, f"AJI {score:.3f}\n{counted(of_model)}"))
    return Row(sample.name, panels)


def _objects(labels: np.ndarray) -> str:
    return f"{len(np.unique(labels[labels > 0]))} objects"


def _window(sample: Sample) -> Window:
    """Where most objects are; the middle where that is not known."""
    if sample.labels is not None:
        return window_of(np.asarray(sample.labels) > 0, SIDE)
    height, width = central(sample.image.shape[1:], (SIDE, SIDE))
    return height, width


def _picture(sample: Sample, window: Window) -> np.ndarray:
    return grey_or_colour(Normalisation(FINE)(sample.image[:, *window]))


def embedding_rows(samples: Sequence, contenders: Sequence[Contender], count: int) -> Rows:
    """The image and each model's embedding, projected by one principal component analysis of all of them together.

    Raises ``UserError`` for embeddings of different sizes.
    """
    dims = {each.title: each.model.geometry.dim for each in contenders}
    if len(set(dims.values())) > 1:
        told = ", ".join(f"{name} {dim}" for name, dim in dims.items())
        raise UserError(f"models: got embeddings of different sizes ({told}), expected one for all; leave models out")
    chosen = [samples[number] for number in range(min(count, len(samples)))]
    windows = [_window(sample) for sample in chosen]
    embeddings = [
        [each.model.embed(sample.image)[0][:, *window] for each in contenders]
        for sample, window in zip(chosen, windows, strict=True)
    ]
    together = np.concatenate([each.reshape(len(each), -1) for row in embeddings for each in row], 1)
    project = fit_projection(together)
    rows = [
        Row(
            sample.name,
            [
                Panel(_picture(sample, window), place(window, sample.image.shape[1:])),
                *(Panel((project(each) * 255).round().astype(np.uint8)) for each in of_it),
            ],
        )
        for sample, window, of_it in zip(chosen, windows, embeddings, strict=True)
    ]
    lines = [
        f"The first {len(rows)} images of the split: {_names(rows)}.",
        PROJECTED,
    ]
    return rows, ["image", *(each.title for each in contenders)], {}, lines


def volume_rows(samples: Sequence, contenders: Sequence[Contender], count: int) -> Rows:
    """The largest neurons of volumes, in the truth and in what each model predicts."""
    rows: list[Row] = []
    for number in range(min(count, len(samples))):
        sample = samples[number]
        predicted = {each.name: each.labels(sample) for each in contenders}
        voxel_size = sample.voxel_size or (1.0,) * len(sample.image.shape[1:])
        rows += neuron_rows(sample.name, np.maximum(_truth(sample), 0), predicted, voxel_size)
    return rows, ["truth", *(each.title for each in contenders)], MEANING, [PARTED]


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(row.name for row in rows)
