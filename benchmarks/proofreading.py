r"""How many of the objects that ``segraft proofread`` lists first are wrong, against the truth of a data set.

    segraft proofread student.safetensors --other teacher.safetensors --dataset bbbc039 --root DIR --split val \
        --out list
    python benchmarks/proofreading.py list --dataset bbbc039 --root DIR --split val

An object is wrong where its best IoU with a true object is below 0.7 (or 0.5: it is not found at all). Of the objects
of all images the worst tenth is taken: by the score, by each of its two parts alone, and for comparison by size, the
smallest first. Objects that the other model alone has (id 0) are left out, and with ``--least`` those of fewer pixels.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from segraft.data import open_dataset
from segraft.images.reading import read_labels
from segraft.labels.contingency import contingency

LIMITS = (0.7, 0.5)
PART = 0.1
RANKED = {"score": 1, "partition": 1, "affinity": 1, "area": -1}
"""Columns that objects are ranked by, and the sign that puts doubtful ones first."""


def best_ious(labels: np.ndarray, truth: np.ndarray) -> dict[int, float]:
    """The best IoU of each object of labels with a true one."""
    table = contingency(labels, truth)
    iou = table.counts / (table.predicted_sizes + table.truth_sizes - table.counts)
    iou[table.truth_ids == 0] = 0
    best: dict[int, float] = {}
    for number, value in zip(table.predicted_ids.tolist(), iou.tolist(), strict=True):
        best[number] = max(best.get(number, 0.0), value)
    return best


def found(wrong: np.ndarray, doubt: np.ndarray) -> tuple[float, float]:
    """Which part of the worst tenth of objects ``(objects,)`` is wrong, and of all objects; equal ones share alike."""
    count = max(1, round(PART * len(wrong)))
    limit = np.sort(doubt)[-count]
    above, equal = doubt > limit, doubt == limit
    hits = wrong[above].sum() + wrong[equal].mean() * (count - above.sum())
    return float(hits / count), float(wrong.mean())


def table(rows: Sequence[dict[str, str]], ious: np.ndarray) -> None:
    """Print a Markdown table: a row for each way to rank."""
    print(f"{len(rows)} objects of {len({row['image'] for row in rows})} images")
    print("| worst tenth by | " + " | ".join(f"wrong: IoU < {limit}" for limit in LIMITS) + " |\n|---|---|---|")
    for column, sign in RANKED.items():
        doubt = sign * np.array([float(row[column]) for row in rows])
        cells = []
        for limit in LIMITS:
            first, every = found(ious < limit, doubt)
            times = f"{first / every:.1f}" if every else "–"
            cells.append(
                f"{first:.1%} of them, {every:.1%} of all: {times} × ({PART * first / every:.0%} of all wrong)"
            )
        print(f"| {column} | " + " | ".join(cells) + " |")


def main() -> None:
    """Compare a list with the truth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what segraft proofread wrote")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--least", type=int, default=0, help="pixels of the smallest objects that count")
    options = parser.parse_args()
    with (options.folder / "proofread.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["id"] != "0" and int(row["area"]) >= options.least]
    named = {row["image"] for row in rows}
    best = {
        sample.name: best_ious(read_labels(options.folder / "labels" / f"{sample.name}.tif"), sample.labels)
        for sample in open_dataset(options.dataset, options.root, options.split)
        if sample.name in named
    }
    table(rows, np.array([best[row["image"]][int(row["id"])] for row in rows]))


if __name__ == "__main__":
    main()
