"""Scores of label files against the truth: one pair of files, two folders, or a folder against a data set."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from csv import DictWriter
from dataclasses import dataclass, field
from functools import cached_property, partial
from json import dumps
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.commands.large_labels import contingency_by_boxes, large_pair
from segraft.data.choice import DataChoice
from segraft.data.masks import note_doubtful
from segraft.errors import SomeFailed, UserError
from segraft.files import write_text
from segraft.images.lazy import Source
from segraft.images.listing import list_images
from segraft.images.names import image_stem, is_label_name, pair_name
from segraft.images.reading import is_image, read_labels, split_key
from segraft.labels.masks import Masks
from segraft.labels.planes import check_plane
from segraft.metrics.protocols import Protocol
from segraft.metrics.scoring import evaluate as scores_of
from segraft.metrics.scoring import score_table, summarise
from segraft.paper.protocols import chosen
from segraft.terminal.tables import output

SHOWN = ("aji", "pq", "f1", "dice", "sbd", "dic", "voi", "arand")
"""Scores in the printed table; files get all."""
Scores = dict[str, float | int]
ByProtocol = dict[str, Scores]


@dataclass(frozen=True)
class Scoring:
    """How every pair is scored: by some protocols; ``truths`` is what was seen of the truth."""

    protocols: Sequence[Protocol]
    truths: Masks = field(default_factory=Masks)

    def __call__(self, predicted: Path, truth: np.ndarray, of: str) -> ByProtocol:
        """Score a file against true labels ``(*space)``, which messages call ``of``."""
        labels = read_labels(predicted)
        try:
            if labels.ndim == 2:
                check_plane(truth, labels.shape)
            scores = _scores(labels, truth, self.protocols)
        except UserError as error:
            raise UserError(f"{predicted} and {of}: {error}") from error
        self.truths.look(of, truth)
        return scores

    def by_boxes(self, predicted: Source, truth: Source) -> ByProtocol:
        """Score a file against another, neither of which is held in memory."""
        try:
            table = contingency_by_boxes(predicted, truth)
        except UserError as error:
            raise UserError(f"{predicted.where} and {truth.where}: {error}") from error
        print(
            f"note: {truth.where} is compared box by box, for it is large; whether one number of it stands for several "
            "objects is not looked for",
            file=sys.stderr,
        )
        return {each.name: score_table(table, each) for each in self.protocols}


Task = tuple[str, Callable[[Scoring], tuple[str, ByProtocol]]]
"""What messages call an image, and how to score it: its name and scores."""


def evaluate(
    predicted: str | Path | np.ndarray,
    truth: str | Path | np.ndarray | None = None,
    *,
    dataset: str | None = None,
    root: Path | None = None,
    split: str = "test",
    options: dict[str, Any] | None = None,
    protocol: Literal["ours", "paper", "both"] = "ours",
    minimum_true_size: int | None = None,
    json: Path | None = None,
    csv: Path | None = None,
) -> Scores | dict[str, Scores] | dict[str, dict[str, Scores]]:
    """Score label images against the truth: two arrays, two files, or whole folders.

    Of two arrays ``(*space)`` the scores are returned, see `segraft.metrics.scoring.evaluate`; nothing is printed. Of
    files a table is printed, and the scores are returned by image name. With both protocols it is a dictionary of these
    by the protocol's name.

    Two label images of more than 2 GB together are compared box by box, with the same scores, where tif, npy, h5 or
    zarr hold both.

    Every true image counts: one without a prediction, or with one that cannot be read, is reported on stderr and in the
    end as ``SomeFailed``; the means are over the others.

    Parameters
    ----------
    predicted : a label image, or a folder of them
    truth : the true label image, or a folder of files with the same names (up to endings such as ``_masks``)
    dataset : a data set to take the truth from instead
    root : folder of the data set
    split : train, val or test
    options : of the data set's reader, by name
    protocol : ours; paper, to compare with published figures: AJI takes each prediction once, and true objects of
        BBBC039 under 25 pixels are left out; or both
    minimum_true_size : pixels below which the protocol paper leaves true objects out, in place of the data set's number
    json : file for all scores, of each image and of the set
    csv : the same as a table

    Raises ``SomeFailed`` after the table when some images could not be scored, ``UserError`` when none could.
    """
    protocols = chosen(protocol, dataset, minimum_true_size)
    if not isinstance(predicted, str | Path) or not isinstance(truth, str | Path | None):
        return _only(_scores(np.asarray(predicted), np.asarray(truth), protocols))
    data = DataChoice(dataset, root, split, options)
    data.check("the truth", files=truth is not None)
    tasks = _against_dataset(Path(predicted), data) if truth is None else _against_files(Path(predicted), Path(truth))
    scoring = Scoring(protocols)
    results, failed = _score(tasks, scoring)
    tables = [Results(each, results[each.name]) for each in protocols]
    _print(tables)
    note_doubtful(scoring.truths, dataset, options)
    _write(json, dumps(_only({each.protocol.name: each.plain() for each in tables}), indent=1) + "\n")
    _write(csv, _csv(tables))
    if failed:
        names = ", ".join(failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
        raise SomeFailed(f"{len(failed)} of {len(tasks)} images could not be scored: {names}")
    return _only(results)


def _only(by_protocol: dict[str, Any]) -> Any:
    """What there is of the only protocol, or all by name."""
    return by_protocol if len(by_protocol) > 1 else next(iter(by_protocol.values()))


@dataclass(frozen=True)
class Results:
    """Scores of a set by one protocol."""

    protocol: Protocol
    images: Mapping[str, Scores]

    @cached_property
    def mean(self) -> Scores:
        """Means over the images, and pooled scores."""
        return summarise(list(self.images.values()))

    def plain(self) -> dict[str, Any]:
        """All of it, as JSON takes it."""
        named = {"protocol": self.protocol.name, "minimum_true_size": self.protocol.minimum_true_size}
        return {**named, "images": self.images, "mean": self.mean}


def _scores(predicted: np.ndarray, truth: np.ndarray, protocols: Sequence[Protocol]) -> ByProtocol:
    return {each.name: scores_of(predicted, truth, each) for each in protocols}


def _score(tasks: Sequence[Task], scoring: Scoring) -> tuple[dict[str, dict[str, Scores]], list[str]]:
    """Scores by protocol and image, and the images that could not be scored; ``UserError`` if that is all of them."""
    results: dict[str, dict[str, Scores]] = {each.name: {} for each in scoring.protocols}
    failed: list[str] = []
    reasons: list[str] = []
    for source, score in tasks:
        try:
            name, scores = score(scoring)
            for protocol, of_it in scores.items():
                results[protocol][name] = of_it
        except UserError as error:
            if len(tasks) == 1:
                raise
            failed.append(source)
            reasons.append(str(error) if source in str(error) else f"{source}: {error}")
            print(f"skipped {reasons[-1]}", file=sys.stderr)
    if failed and len(failed) == len(tasks):
        raise UserError(f"none of {len(failed)} images could be scored; the first: {reasons[0]}")
    return results, failed


def _against_dataset(predicted: Path, data: DataChoice) -> list[Task]:
    """One task for every sample of a data set."""
    samples, found = data.open(), _by_name(predicted)
    return [
        (f"{data.name} {data.split} image {index}", partial(_against_sample, samples, index, found))
        for index in range(len(samples))
    ]


def _against_files(predicted: Path, truth: Path) -> list[Task]:
    """One task for every true label image: of a folder, or the only one."""
    file, _ = split_key(predicted)
    if not file.is_dir() or is_image(file):  # a zarr is a folder, too
        return [(predicted.name, partial(_against_file, predicted.name, predicted, truth))]
    found, true = _by_name(predicted), _by_name(truth)
    if extra := [str(path) for name, path in found.items() if name not in true]:
        print(f"not scored, for there is no truth: {', '.join(extra[:3])} ({len(extra)} in all)", file=sys.stderr)
    return [(name, partial(_against_file, name, found.get(name), path)) for name, path in true.items()]


def _against_file(name: str, predicted: Path | None, truth: Path, scoring: Scoring) -> tuple[str, ByProtocol]:
    """Score one file against another."""
    predicted = _existing(name, predicted)
    if large := large_pair(predicted, truth):
        return name, scoring.by_boxes(*large)
    return name, scoring(predicted, read_labels(truth), str(truth))


def _against_sample(
    samples: Sequence, index: int, found: Mapping[str, Path], scoring: Scoring
) -> tuple[str, ByProtocol]:
    """Score one file against a sample of a data set."""
    sample = samples[index]
    if sample.labels is None:
        raise UserError(f"{sample.name}: got no labels, expected them as the truth; add them, or use another split")
    predicted = _existing(sample.name, found.get(pair_name(sample.name)))
    return sample.name, scoring(predicted, sample.labels, sample.name)


def _existing(name: str, predicted: Path | None) -> Path:
    if predicted is None:
        raise UserError(f"{name}: got no prediction, expected a label image of that name; predict it first")
    return predicted


def _by_name(folder: Path) -> dict[str, Path]:
    """Return a folder's label images by the name of their image; beside ``x_masks.tif``, ``x.tif`` is an image."""
    named: dict[str, Path] = {}
    for path in sorted(list_images(folder), key=lambda path: not is_label_name(image_stem(path))):
        name = pair_name(image_stem(path))
        if name not in named:
            named[name] = path
        elif not is_label_name(image_stem(named[name])) or is_label_name(image_stem(path)):
            raise UserError(f"{named[name]} and {path}: got the same name {name!r} twice, expected it once; rename one")
    return named


def _print(tables: Sequence[Results]) -> None:
    """Print the scores that are read most: of all images by the first protocol, of the set by every one."""
    console = output()
    names = [*tables[0].images, f"mean of {len(tables[0].images)}"]
    room = min(max(map(len, names)), max(8, console.width - 8 * len(SHOWN) - 2))
    for place, each in enumerate(tables):
        print(each.protocol)
        console.print(_table({} if place else each.images, each.mean, names[-1], room))
        print(f"All objects pooled: PQ {each.mean['pq_pooled']:.4f}, F1 {each.mean['f1_pooled']:.4f}.")


def _table(images: Mapping[str, Scores], mean: Scores, called: str, room: int) -> Table:
    """One row for each image, and one of means; names are cut to the room that a terminal has, and whole in a file."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("image", no_wrap=True, min_width=room, max_width=room)
    for key in SHOWN:
        table.add_column(key, justify="right", no_wrap=True, min_width=6)
    for name, scores in images.items():
        table.add_row(name, *(f"{scores[key]:.4g}" for key in SHOWN))
    table.add_section()
    table.add_row(called, *(f"{mean[key]:.4f}" for key in SHOWN))
    return table


def _csv(tables: Sequence[Results]) -> str:
    """Of each protocol one row for each image, and one of means; the scores in columns."""
    text = io.StringIO()
    columns = dict.fromkeys([*next(iter(tables[0].images.values())), *tables[0].mean])
    writer = DictWriter(text, ["image", "protocol", *columns], lineterminator="\n")
    writer.writeheader()
    for each in tables:
        for name, scores in (*each.images.items(), ("mean", each.mean)):
            writer.writerow({"image": name, "protocol": each.protocol.name, **scores})
    return text.getvalue()


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        write_text(path, text)
