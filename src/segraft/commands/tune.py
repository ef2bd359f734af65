"""Choose the settings of the segmentation on labelled images: the network runs once, then every setting is tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from segraft.data.choice import DataChoice
from segraft.data.masks import check_told
from segraft.errors import UserError, choose
from segraft.labels.masks import Masks
from segraft.metrics.scores import choosing
from segraft.metrics.scoring import evaluate, summarise
from segraft.model import checkpoint
from segraft.model.config import Segmentation
from segraft.model.model import load
from segraft.run_folder import RunFolder
from segraft.segment import SEGMENTERS
from segraft.types import Offsets

GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "mutex": {},
    "waterz": {"threshold": (0.1, 0.3, 0.5, 0.7, 0.9)},
    "multicut": {"beta": (0.3, 0.5, 0.7)},
    "lifted-multicut": {"beta": (0.3, 0.5, 0.7)},
}
"""What is tried of each segmenter's own settings, unless the user says otherwise."""
COMMON = ("foreground_threshold", "thickness", "minimum_size")
"""Settings that all segmenters share."""
PIXELS = ("thickness", "minimum_size")
SHOWN = ("aji", "pq", "voi", "arand")
"""Scores in the printed table, beside the one that chooses."""
Result = dict[str, float | int]


def tune(
    model: str | Path,
    dataset: str | None = None,
    *,
    root: str | Path | None = None,
    split: str = "val",
    options: dict[str, Any] | None = None,
    segmenter: str = "mutex",
    score: str = "aji",
    foreground_threshold: Sequence[float] = (0.3, 0.4, 0.5, 0.6, 0.7),
    thickness: Sequence[float] | None = None,
    minimum_size: Sequence[int] | None = None,
    threshold: Sequence[float] | None = None,
    beta: Sequence[float] | None = None,
    boundary: Sequence[float] | None = None,
    images: int | None = None,
    tile: Sequence[int] | None = None,
    max_memory: float | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Try all combinations of settings on images with labels, print a table, and store the best with the weights.

    From then on ``predict`` uses them. The weights themselves stay as they are; so do the settings of the same
    segmenter where nothing tried is better.

    Parameters
    ----------
    model : run folder or model file
    dataset : data set to tune on; by default that of the run folder's training
    root : folder of the data set
    split : train, val or test; test is for the final score, not for choosing
    options : of the data set's reader, by name
    segmenter : mutex, waterz, multicut or lifted-multicut
    score : what to choose by: aji, pq, sbd, dice, voi, arand or any other score that has a better side
    foreground_threshold : probabilities to try, above which a pixel belongs to an object
    thickness : thicknesses in pixels to try, at which segments join a larger one; by default the model's
    minimum_size : sizes in pixels to try, below which segments join a larger one or vanish; by default 0, the model's
        and twice that
    threshold : thresholds of waterz to try; higher merges more
    beta : biases of the multicuts to try; higher cuts more
    boundary : boundary probabilities to try, from which on a pixel separates the seeds of waterz and the multicuts
    images : number of images to use; all by default
    tile : side of the parts that the network computes at once, in pixels, or one per axis
    max_memory : in place of tile, gigabytes that a part may take; by default 4 for volumes
    device : auto, cpu, cuda, cuda:1 or mps

    Returns
    -------
    dict : ``segmentation``, the best settings; ``scores``, theirs over the images; ``before``, those of the settings
        that the model had; ``tried``, a list of settings and scores

    Raises
    ------
    UserError : the model, the data set or an option is at fault, or no image has labels
    """
    rank, loaded = choosing(score).rank, load(model, device)
    stored = loaded.config.segmentation
    sizes = sorted({0, stored.minimum_size, 2 * stored.minimum_size}) if minimum_size is None else minimum_size
    widths = (stored.thickness,) if thickness is None else thickness
    grid = {"foreground_threshold": foreground_threshold, "thickness": widths, "minimum_size": sizes}
    own = {"threshold": threshold, "beta": beta, "boundary": boundary}
    tried = candidates(segmenter, grid, own)
    data = _data(Path(model), dataset, root, split, options)
    see, masks = partial(loaded.affinities, tile=tile, max_memory=max_memory), Masks()
    before, *scores = _score(see, loaded.offsets, _samples(data, images), [stored, *tried], masks)
    check_told(masks, data.name or "", data.options)
    best = max(range(len(tried)), key=lambda k: rank(scores[k][score]))
    _print(tried, scores, before, best, score)
    rows = [{"segmentation": a, "scores": b} for a, b in zip(tried, scores, strict=True)]
    results = {"tried": rows, "before": before}
    if segmenter == stored.segmenter and rank(scores[best][score]) <= rank(before[score]):
        print(f"kept in {checkpoint.locate(model)} as it was: nothing tried has a better {score}")
        return {"segmentation": stored, "scores": before, **results}
    _store(model, tried[best])
    return {"segmentation": tried[best], "scores": scores[best], **results}


def _store(model: str | Path, best: Segmentation) -> None:
    checkpoint.change(model, segmentation=best)
    print(f"stored in {checkpoint.locate(model)}: {_as_text(best)}")


def values_of(candidate: Segmentation) -> dict[str, Any]:
    """The numbers of a candidate by name, the segmenter's own among them."""
    return {name: getattr(candidate, name) for name in COMMON} | candidate.settings


def _as_text(candidate: Segmentation) -> str:
    named = {"segmenter": candidate.segmenter, **values_of(candidate)}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in named.items())


def _at_edges(tried: Sequence[Segmentation], best: int) -> list[str]:
    """Settings whose best value is the lowest or highest of those tried, and could go further."""
    found = []
    for name, chosen in values_of(tried[best]).items():
        values = {values_of(each)[name] for each in tried}
        if len(values) > 1 and chosen in (min(values), max(values)) and chosen not in (0, 1):
            found.append(name)
    return sorted(found)


def candidates(
    segmenter: str, grid: Mapping[str, Sequence[Any]], own: Mapping[str, Sequence[Any] | None]
) -> list[Segmentation]:
    """All combinations of a segmenter's settings: ``grid`` for any, ``own`` in place of the ``GRIDS`` of this one.

    Raises ``UserError`` for an unknown segmenter, for a setting that it has not, and for values out of range.
    """
    known = inspect.signature(choose("segmenter", segmenter, SEGMENTERS)).parameters
    chosen = {name: values for name, values in own.items() if values is not None}
    for name in chosen:
        if name not in known:
            raise UserError(
                f"{name}: got some for the segmenter {segmenter}, expected none, for it has no such setting; omit it"
            )
    values = {**grid, **GRIDS.get(segmenter, {}), **chosen}
    for name, each in values.items():
        limit, range_ = (1, "from 0 to 1") if name not in PIXELS else (float("inf"), "0 or more")
        if not each or not all(0 <= value <= limit for value in each):
            raise UserError(f"{name}: got {tuple(each)}, expected at least one number {range_}")
    combined = (dict(zip(values, each, strict=True)) for each in product(*values.values()))
    return [
        Segmentation(segmenter, **{name: each.pop(name) for name in COMMON if name in each}, settings=each)
        for each in combined
    ]


def _data(
    model: Path, dataset: str | None, root: str | Path | None, split: str, options: dict[str, Any] | None
) -> DataChoice:
    """What to tune on: the named data set, or that which the run folder was trained on."""
    if dataset is None:
        folder = RunFolder(model)
        if not folder.config.is_file():
            raise UserError(f"got no data set, and {model} names none; expected one with labels; give its name")
        dataset, root, options = folder.data(root, options)
    return DataChoice(dataset, root, split, options)


def _samples(data: DataChoice, count: int | None) -> Sequence:
    """The first images of a data set."""
    if count is not None and count < 1:
        raise UserError(f"images: got {count}, expected 1 or more; omit it to use all")
    return data.open()[:count]


def _score(
    see: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    offsets: Offsets,
    samples: Sequence,
    tried: Sequence[Segmentation],
    masks: Masks,
) -> list[Result]:
    """Score of each candidate over all images with labels; affinities are kept of one image at a time.

    ``masks`` looks at the labels.
    """
    console = Console(stderr=True)
    results: list[list[Result]] = []
    for index in track(range(len(samples)), "tuning", console=console, disable=not console.is_terminal):
        sample = samples[index]
        if sample.labels is None:
            continue
        try:
            affinities, probability = see(sample.image)
            inside = (probability > each.foreground_threshold for each in tried)
            segmented = (each.segment(affinities, offsets, mask) for each, mask in zip(tried, inside, strict=True))
            results.append([evaluate(labels, sample.labels) for labels in segmented])
            masks.look(sample.name, sample.labels)
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
    if not results:
        raise UserError(f"got {len(samples)} images, none with labels; expected at least one to score; add labels")
    return [summarise(each) for each in zip(*results, strict=True)]


def _print(tried: Sequence[Segmentation], scores: Sequence[Result], before: Result, best: int, score: str) -> None:
    """Print a row for each candidate, the best one marked, and one for the settings that the model had."""
    shown = (score, *(name for name in SHOWN if name != score))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = list(values_of(tried[0]))
    for name in ("", *(name.replace("_", " ") for name in names), *shown):
        table.add_column(name, justify="right", no_wrap=True)
    for number, (candidate, result) in enumerate(zip(tried, scores, strict=True)):
        mark = "best" if number == best else ""
        table.add_row(
            mark, *(f"{value:g}" for value in values_of(candidate).values()), *(f"{result[name]:.4f}" for name in shown)
        )
    table.add_section()
    table.add_row("before", *("" for _ in names), *(f"{before[name]:.4f}" for name in shown))
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)
    for name in _at_edges(tried, best):
        chosen = values_of(tried[best])[name]
        print(f"the best {name.replace('_', ' ')}, {chosen:g}, is at the edge of what was tried: try beyond it")
