"""Choose the settings of the segmentation on labelled images: the network runs once, then every setting is tried."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from segraft.data import open_dataset
from segraft.errors import UserError, choose
from segraft.metrics.scores import choosing
from segraft.metrics.scoring import evaluate, summarise
from segraft.model import checkpoint
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
SHOWN = ("aji", "pq", "voi", "arand")
"""Scores in the printed table, beside the one that chooses."""

Candidate = dict[str, Any]
"""A segmenter and its settings, as the configuration of a model stores them under ``segmentation``."""
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
    foreground: Sequence[float] = (0.3, 0.4, 0.5, 0.6, 0.7),
    minimum_size: Sequence[int] | None = None,
    threshold: Sequence[float] | None = None,
    beta: Sequence[float] | None = None,
    boundary: Sequence[float] | None = None,
    images: int | None = None,
    tile: Sequence[int] | None = None,
    memory: float | None = None,
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
    score : what to choose by: aji, pq, sbd, dice, voi or arand
    foreground : probabilities to try, above which a pixel belongs to an object
    minimum_size : sizes in pixels to try, below which segments join a larger one or vanish; by default 0, the model's
        and twice that
    threshold : thresholds of waterz to try; higher merges more
    beta : biases of the multicuts to try; higher cuts more
    boundary : boundary probabilities to try, from which on a pixel separates the seeds of waterz and the multicuts
    images : number of images to use; all by default
    tile : side of the parts that the network computes at once, in pixels, or one per axis
    memory : in place of tile, gigabytes that a part may take; by default 4 for volumes
    device : auto, cpu, cuda, cuda:1 or mps

    Returns
    -------
    dict : ``segmentation``, the best settings; ``scores``, theirs over the images; ``before``, those of the settings
        that the model had; ``tried``, a list of settings and scores

    Raises
    ------
    UserError : the model, the data set or an option is at fault, or no image has labels
    """
    if images is not None and images < 1:
        raise UserError(f"images came as {images}; wanted 1 or more; leave it away to use all")
    rank = choosing(score).rank
    loaded = load(model, device)
    stored = {"segmenter": "mutex", "foreground": 0.5, "minimum_size": 0} | loaded.config.get("segmentation", {})
    if minimum_size is None:
        minimum_size = sorted({0, stored["minimum_size"], 2 * stored["minimum_size"]})
    grid = {"foreground": foreground, "minimum_size": minimum_size}
    own = {"threshold": threshold, "beta": beta, "boundary": boundary}
    tried = candidates(segmenter, grid, {name: values for name, values in own.items() if values is not None})
    samples = _samples(Path(model), dataset, root, split, options)[:images]
    before, *scores = _score(
        partial(loaded.affinities, tile=tile, memory=memory), loaded.offsets, samples, [stored, *tried]
    )
    best = max(range(len(tried)), key=lambda k: rank(scores[k][score]))
    _print(tried, scores, before, best, score)
    for name in _at_edges(tried, best):
        print(
            f"the best {name.replace('_', ' ')}, {tried[best][name]:g}, is at the edge of what was tried: try beyond it"
        )
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in tried[best].items())
    if segmenter == stored["segmenter"] and rank(scores[best][score]) <= rank(before[score]):
        print(f"kept in {checkpoint.locate(model)} as it was: nothing tried has a better {score}")
        return {"segmentation": stored, "scores": before, "before": before, "tried": _results(tried, scores)}
    checkpoint.change(model, segmentation=tried[best])
    print(f"stored in {checkpoint.locate(model)}: {told}")
    return {"segmentation": tried[best], "scores": scores[best], "before": before, "tried": _results(tried, scores)}


def _at_edges(tried: Sequence[Candidate], best: int) -> list[str]:
    """Settings whose best value is the lowest or highest of those tried, and could go further."""
    found = []
    for name in tried[best].keys() - {"segmenter"}:
        values, chosen = {each[name] for each in tried}, tried[best][name]
        if len(values) > 1 and chosen in (min(values), max(values)) and chosen not in (0, 1):
            found.append(name)
    return sorted(found)


def _results(tried: Sequence[Candidate], scores: Sequence[Result]) -> list[dict[str, Any]]:
    return [{"segmentation": each, "scores": result} for each, result in zip(tried, scores, strict=True)]


def candidates(segmenter: str, grid: Mapping[str, Sequence[Any]], own: Mapping[str, Sequence[Any]]) -> list[Candidate]:
    """All combinations of a segmenter's settings: ``grid`` for any, ``own`` in place of the ``GRIDS`` of this one.

    Raises ``UserError`` for an unknown segmenter, for a setting that it has not, and for values out of range.
    """
    known = inspect.signature(choose("segmenter", segmenter, SEGMENTERS)).parameters
    for name in own:
        if name not in known:
            raise UserError(f"{name} came for the segmenter {segmenter}, which has none; leave it away")
    values = {**grid, **GRIDS[segmenter], **own}
    for name, each in values.items():
        limit, wanted = (float("inf"), "0 or more") if name == "minimum_size" else (1, "from 0 to 1")
        if not each or not all(0 <= value <= limit for value in each):
            raise UserError(f"{name} came as {tuple(each)}; wanted at least one number {wanted}")
    return [{"segmenter": segmenter, **dict(zip(values, each, strict=True))} for each in product(*values.values())]


def _samples(
    model: Path, dataset: str | None, root: str | Path | None, split: str, options: dict[str, Any] | None
) -> Sequence:
    """The images to tune on, of the named data set or of that which the run folder was trained on."""
    if dataset is None:
        folder = RunFolder(model)
        if not folder.config.is_file():
            raise UserError(f"no data set came, and {model} does not tell one; wanted one with labels; give its name")
        recorded = folder.data()
        dataset, root = recorded.name, root if root is not None else recorded.root
        options = recorded.options if options is None else options
    return open_dataset(dataset, root, split, **(options or {}))


def _score(
    see: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    offsets: Offsets,
    samples: Sequence,
    tried: Sequence[Candidate],
) -> list[Result]:
    """Score of each candidate over all images with labels; affinities are kept of one image at a time."""
    console = Console(stderr=True)
    results: list[list[Result]] = []
    for index in track(range(len(samples)), "tuning", console=console, disable=not console.is_terminal):
        sample = samples[index]
        if sample.labels is None:
            continue
        try:
            affinities, probability = see(sample.image)
            segmented = _segment(affinities, offsets, probability, tried)
            results.append([evaluate(labels, sample.labels) for labels in segmented])
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
    if not results:
        raise UserError(f"{len(samples)} images came, none with labels; wanted at least one to score; add labels")
    return [summarise(each) for each in zip(*results, strict=True)]


def _segment(
    affinities: np.ndarray, offsets: Offsets, probability: np.ndarray, tried: Sequence[Candidate]
) -> Iterable[np.ndarray]:
    """Labels ``(*space)`` of one image, by each candidate in turn."""
    for candidate in tried:
        settings = dict(candidate)
        segment = choose("segmenter", settings.pop("segmenter"), SEGMENTERS)
        yield segment(affinities, offsets, probability > settings.pop("foreground"), **settings)


def _print(tried: Sequence[Candidate], scores: Sequence[Result], before: Result, best: int, score: str) -> None:
    """Print a row for each candidate, the best one marked, and one for the settings that the model had."""
    shown = (score, *(name for name in SHOWN if name != score))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = [name for name in tried[0] if name != "segmenter"]
    for name in ("", *(name.replace("_", " ") for name in names), *shown):
        table.add_column(name, justify="right", no_wrap=True)
    for number, (candidate, result) in enumerate(zip(tried, scores, strict=True)):
        mark = "best" if number == best else ""
        table.add_row(mark, *(f"{candidate[name]:g}" for name in names), *(f"{result[name]:.4f}" for name in shown))
    table.add_section()
    table.add_row("before", *("" for _ in names), *(f"{before[name]:.4f}" for name in shown))
    console = Console()
    if not console.is_terminal:
        console.width = 120
    console.print(table)
