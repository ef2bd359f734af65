"""Search the settings of the segmentation on labelled images: the network runs once for each."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.data.choice import DataChoice
from segraft.data.masks import check_told
from segraft.errors import UserError
from segraft.labels.masks import Masks
from segraft.metrics.scores import choosing, finds_nothing
from segraft.metrics.usual import usual_score
from segraft.model import model_file
from segraft.model.config import Segmentation
from segraft.model.model import Model, load
from segraft.model.options import PredictOptions, of_one_image
from segraft.model.search import COMMON, Number, best_of, values_of, with_own, with_values
from segraft.model.trials import Result, Trials, looked_at
from segraft.run_folder import RunFolder
from segraft.segment import SEGMENTERS
from segraft.terminal.progress import counting
from segraft.terminal.tables import print_table

SEARCHED = (*COMMON, "bias", "threshold", "beta", "boundary")
APART = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Foreground thresholds to begin at, beside the stored one."""
PIXELS = ("thickness", "minimum_size")
SHOWN = ("aji", "pq", "voi", "arand")
"""Scores in the printed table, beside the one that chooses."""
BEST = 8
"""Rows of the printed table."""


def tune(
    model: str | Path,
    dataset: str | None = None,
    *,
    root: str | Path | None = None,
    split: str = "val",
    options: dict[str, Any] | None = None,
    segmenter: str | None = None,
    score: str | None = None,
    foreground_threshold: Sequence[float] | None = None,
    thickness: Sequence[float] | None = None,
    minimum_size: Sequence[int] | None = None,
    bias: Sequence[float] | None = None,
    threshold: Sequence[float] | None = None,
    beta: Sequence[float] | None = None,
    boundary: Sequence[float] | None = None,
    images: int | None = None,
    percentiles: tuple[float, float] | None = None,
    range: Sequence[float] | None = None,
    normalise: Literal["image", "series", "training"] = "image",
    tile: Sequence[int] | None = None,
    max_memory: float | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Search the best settings on images with labels, print the few best, and store the best with the weights.

    The search begins at the stored settings and changes one after the other, on and on while the score gets better,
    beyond any edge. Of a setting that values are given for, these alone are tried, in all combinations. From then on
    ``predict`` uses the best. The weights stay as they are; so do the settings of the same segmenter where nothing
    tried is better, or no image has an object to choose by.

    Parameters
    ----------
    model : run folder or model file
    dataset : data set to tune on; by default that of the run folder's training
    root : folder of the data set
    split : train, val or test; test is for the final score, not for choosing
    options : of the data set's reader, by name
    segmenter : mutex, waterz, multicut or lifted-multicut; by default the stored one
    score : what to choose by: pq_pooled, aji, pq, sbd, dice, voi, arand or any other score that has a better side; by
        default pq_pooled, in which each object counts the same, for volumes of dense tissue voi
    foreground_threshold : the only probabilities to try, above which a pixel belongs to an object
    thickness : the only thicknesses in pixels to try, at which segments join a larger one that they touch
    minimum_size : the only sizes in pixels to try, below which segments join a larger one or vanish
    bias : the only biases of mutex to try, by which attraction is weakened; higher cuts more
    threshold : the only thresholds of waterz to try; higher merges more
    beta : the only biases of the multicuts to try; higher cuts more
    boundary : the only boundary probabilities to try, from which on a pixel separates the seeds of waterz and the
        multicuts
    images : number of images to use; all by default
    percentiles, range, normalise : how grey values are scaled, as in ``predict``, to which they are to be given, too
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
    model_file.check_own(model)
    loaded = load(model, device)
    given = (foreground_threshold, thickness, minimum_size, bias, threshold, beta, boundary)
    values = {name: each for name, each in zip(SEARCHED, given, strict=True) if each is not None}
    if (score := score or _of_run(Path(model))) is not None:
        choosing(score)
    stored = loaded.config.segmentation
    start = _start(stored, segmenter, values)
    samples = _samples(data := _data(Path(model), dataset, root, split, options), images)
    scaling = _scaling(loaded, samples, percentiles, range, normalise)
    parts = PredictOptions(tile=tile, max_memory=max_memory, **scaling)
    with looked_at(loaded, samples, parts, masks := Masks()) as seen, counting() as tell:
        check_told(masks, data.name or "", data.options)
        score = score or usual_score((each.labels for each in seen), loaded.geometry.ndim, stored.fill)
        trials = Trials(seen, loaded.offsets, score, tell)
        before, best = trials.scores(_start(stored, None, {})), best_of(trials, _combined(start, values), values)
        scores = trials.scores(best)
    tried = trials.ranked(start.segmenter)
    _print(tried, before, score, values)
    if kept := _reason_to_keep(before, scores, score, start.segmenter != stored.segmenter):
        best, scores = stored, before
    _store(model, best, kept)
    if percentiles or range or normalise != "image":
        print("found with that scale of grey values: give predict the same --percentiles, --range or --normalise")
    return {"segmentation": best, "scores": scores, "before": before, "tried": tried}


def _of_run(model: Path) -> str | None:
    """The score by which the training of a run folder chose; None for a model file."""
    folder = RunFolder(model)
    return folder.settings().get("monitor") if folder.config.is_file() else None


def _scaling(
    model: Model,
    samples: Sequence,
    percentiles: tuple[float, float] | None,
    range: Sequence[float] | None,
    normalise: str,
) -> dict[str, Any]:
    """Options of the grey values' scale; that of a series is measured here."""
    each = of_one_image(normalise, range)
    if normalise == "series":
        range, percentiles = model.measure((sample.image for sample in samples), percentiles=percentiles), None
    return {"percentiles": percentiles, "range": range, "normalise": each}


def _reason_to_keep(before: Result, best: Result, score: str, another: bool) -> str:
    """Why the stored settings stay as they are; empty where the best, or ``another`` segmenter, takes their place."""
    if not before["n_true"]:
        return "no image has an object to choose by"
    rank = choosing(score).rank
    return "" if another or rank(best[score]) > rank(before[score]) else f"nothing tried has a better {score}"


def _store(model: str | Path, best: Segmentation, kept: str) -> None:
    """Store the best settings with the weights, unless there is a reason why others are ``kept``, and say so."""
    if kept:
        print(f"kept in {model_file.locate(model)} as it was: {kept}")
        return
    model_file.change(model, segmentation=best)
    print(f"stored in {model_file.locate(model)}: {_as_text(best)}")


def _start(stored: Segmentation, segmenter: str | None, values: Mapping[str, Sequence[Number]]) -> Segmentation:
    """Where the search begins: at the stored settings, and the defaults of what is not stored.

    Raises ``UserError`` for an unknown segmenter, for values of a setting that it has not, and for such out of range.
    """
    start = stored.changed(segmenter=segmenter)
    known = inspect.signature(SEGMENTERS[start.segmenter]).parameters
    for name, each in values.items():
        if name not in (*COMMON, *known):
            raise UserError(
                f"{name}: got some for the segmenter {start.segmenter}, expected none, for it has no such setting; "
                "omit it"
            )
        limit, range_ = (1, "from 0 to 1") if name not in PIXELS else (float("inf"), "0 or more")
        if not each or not all(0 <= value <= limit for value in each):
            raise UserError(f"{name}: got {tuple(each)}, expected at least one number {range_}")
    return with_own(start, values)


def _combined(start: Segmentation, values: Mapping[str, Sequence[Number]]) -> list[Segmentation]:
    """All combinations of the values given, otherwise as at the start; if the start is one of them, it comes first.

    Without thresholds of the foreground a few far apart are among them: from one at which nothing is found no way leads
    uphill.
    """
    values = {"foreground_threshold": (start.foreground_threshold, *APART), **values}
    combined = [with_values(start, dict(zip(values, each, strict=True))) for each in product(*values.values())]
    return sorted(combined, key=lambda candidate: candidate != start)


def _as_text(segmentation: Segmentation) -> str:
    named = {"segmenter": segmentation.segmenter, **values_of(segmentation)}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in named.items())


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


def _print(
    tried: Sequence[Mapping[str, Any]], before: Result, score: str, given: Mapping[str, Sequence[Number]]
) -> None:
    """Print a row for each of the best candidates and one for the settings that the model had, and what they tell."""
    shown = (score, *(name for name in SHOWN if name != score))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    names = list(values_of(tried[0]["segmentation"]))
    for name in ("", *(name.replace("_", " ") for name in names), *shown):
        table.add_column(name, justify="right", no_wrap=True)
    for number, each in enumerate(tried[:BEST]):
        values, result = values_of(each["segmentation"]), each["scores"]
        mark = "" if number else "best"
        table.add_row(mark, *(f"{values[name]:g}" for name in names), *(f"{result[name]:.4f}" for name in shown))
    table.add_section()
    table.add_row("before", *("" for _ in names), *(f"{before[name]:.4f}" for name in shown))
    print_table(table)
    print(f"{len(tried)} settings tried; the best {min(BEST, len(tried))} are shown")
    if before["n_true"]:
        _advise(tried, score, given)
    if finds_nothing(tried[0]["scores"]):
        print(f"none of {before['tp'] + before['fn']} true objects is found with the best settings: train longer")


def _advise(tried: Sequence[Mapping[str, Any]], score: str, values: Mapping[str, Sequence[Number]]) -> None:
    """Advise to go beyond a best value at the edge of those given, if it could go further and the next is worse."""
    best = values_of(tried[0]["segmentation"])
    for name, each in values.items():
        ordered, chosen = sorted(set(each)), best[name]
        if len(ordered) < 2 or chosen not in (ordered[0], ordered[-1]) or chosen in (0, 1):
            continue
        beside = best | {name: ordered[1] if chosen == ordered[0] else ordered[-2]}
        same = any(
            row["scores"][score] == tried[0]["scores"][score] and values_of(row["segmentation"]) == beside
            for row in tried
        )
        if not same:
            print(f"the best {name.replace('_', ' ')}, {chosen:g}, is at the edge of what was tried: try beyond it")
