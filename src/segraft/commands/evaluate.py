"""Scores of label files against the truth: one pair of files, two folders, or a folder against a data set."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping, Sequence
from csv import DictWriter
from functools import partial
from json import dumps
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.data.choice import DataChoice
from segraft.errors import SomeFailed, UserError
from segraft.files import write_text
from segraft.images.listing import list_images
from segraft.images.names import image_stem, is_label_name, pair_name
from segraft.images.reading import read_labels, split_key
from segraft.metrics import scoring
from segraft.terminal.tables import output

SHOWN = ("aji", "pq", "f1", "dice", "sbd", "dic", "voi", "arand")
"""Scores in the printed table; files get all."""
Scores = dict[str, float | int]
Task = tuple[str, Callable[[], tuple[str, Scores]]]
"""What messages call an image, and how to score it: its name and scores."""


def evaluate(
    predicted: str | Path | np.ndarray,
    truth: str | Path | np.ndarray | None = None,
    *,
    dataset: str | None = None,
    root: Path | None = None,
    split: str = "test",
    options: dict[str, Any] | None = None,
    json: Path | None = None,
    csv: Path | None = None,
) -> Scores | dict[str, Scores]:
    """Score label images against the truth: two arrays, two files, or whole folders.

    Of two arrays ``(*space)`` the scores are returned, see `segraft.metrics.scoring.evaluate`; nothing is printed. Of
    files a table is printed, and the scores are returned by image name.

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
    json : file for all scores, of each image and of the set
    csv : the same as a table

    Raises ``SomeFailed`` after the table when some images could not be scored, ``UserError`` when none could.
    """
    if not isinstance(predicted, str | Path) or not isinstance(truth, str | Path | None):
        return scoring.evaluate(np.asarray(predicted), np.asarray(truth))
    data = DataChoice(dataset, root, split, options)
    data.check("the truth", files=truth is not None)
    results, failed = _score(
        _against_dataset(Path(predicted), data) if truth is None else _against_files(Path(predicted), Path(truth))
    )
    summary = scoring.summarise(list(results.values()))
    _print(results, summary)
    _write(json, dumps({"images": results, "mean": summary}, indent=1) + "\n")
    _write(csv, _csv(results, summary))
    if failed:
        names = ", ".join(failed[:3]) + (f" and {len(failed) - 3} more" if len(failed) > 3 else "")
        raise SomeFailed(f"{len(failed)} of {len(failed) + len(results)} images could not be scored: {names}")
    return results


def _score(tasks: Sequence[Task]) -> tuple[dict[str, Scores], list[str]]:
    """Scores by image name, and the images that could not be scored; ``UserError`` if that is all of them."""
    results: dict[str, Scores] = {}
    failed: list[str] = []
    reasons: list[str] = []
    for source, score in tasks:
        try:
            name, scores = score()
            results[name] = scores
        except UserError as error:
            if len(tasks) == 1:
                raise
            failed.append(source)
            reasons.append(str(error) if source in str(error) else f"{source}: {error}")
            print(f"skipped {reasons[-1]}", file=sys.stderr)
    if not results:
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
    if not split_key(predicted)[0].is_dir():
        return [(predicted.name, partial(_against_file, predicted.name, predicted, truth))]
    found, true = _by_name(predicted), _by_name(truth)
    if extra := [str(path) for name, path in found.items() if name not in true]:
        print(f"not scored, for there is no truth: {', '.join(extra[:3])} ({len(extra)} in all)", file=sys.stderr)
    return [(name, partial(_against_file, name, found.get(name), path)) for name, path in true.items()]


def _against_file(name: str, predicted: Path | None, truth: Path) -> tuple[str, Scores]:
    """Score one file against another."""
    return name, _compare(_existing(name, predicted), read_labels(truth), str(truth))


def _against_sample(samples: Sequence, index: int, found: Mapping[str, Path]) -> tuple[str, Scores]:
    """Score one file against a sample of a data set."""
    sample = samples[index]
    if sample.labels is None:
        raise UserError(f"{sample.name}: got no labels, expected them as the truth; add them, or use another split")
    return sample.name, _compare(_existing(sample.name, found.get(pair_name(sample.name))), sample.labels, sample.name)


def _existing(name: str, predicted: Path | None) -> Path:
    if predicted is None:
        raise UserError(f"{name}: got no prediction, expected a label image of that name; predict it first")
    return predicted


def _compare(predicted: Path, truth: np.ndarray, of: str) -> Scores:
    labels = read_labels(predicted)
    try:
        return scoring.evaluate(labels, truth)
    except UserError as error:
        raise UserError(f"{predicted} and {of}: {error}") from error


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


def _print(results: Mapping[str, Scores], summary: Scores) -> None:
    """Print the scores that are read most; long names are cut to the width of a terminal, and whole in a file."""
    console, numbers = output(), 8 * len(SHOWN) + 2
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("image", no_wrap=True, max_width=max(8, console.width - numbers))
    for key in SHOWN:
        table.add_column(key, justify="right", no_wrap=True, min_width=6)
    for name, scores in results.items():
        table.add_row(name, *(f"{scores[key]:.4g}" for key in SHOWN))
    table.add_section()
    table.add_row(f"mean of {len(results)}", *(f"{summary[key]:.4f}" for key in SHOWN))
    console.print(table)
    pooled = f"PQ {summary['pq_pooled']:.4f}, F1 {summary['f1_pooled']:.4f}"
    print(f"All objects pooled: {pooled}.")


def _csv(results: Mapping[str, Scores], summary: Scores) -> str:
    """One row for each image, and one of means; the scores in columns."""
    text = io.StringIO()
    columns = dict.fromkeys([*next(iter(results.values())), *summary])
    writer = DictWriter(text, ["image", *columns], lineterminator="\n")
    writer.writeheader()
    for name, scores in (*results.items(), ("mean", summary)):
        writer.writerow({"image": name, **scores})
    return text.getvalue()


def _write(path: Path | None, text: str) -> None:
    if path is not None:
        write_text(path, text)
