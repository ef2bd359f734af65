"""Paired bootstrap of sets of runs, from the JSON files of ``segraft evaluate``.

    python benchmarks/compare_scores.py --runs alone alone-*.json --runs distilled distilled-*.json

Each set is a name and one file per seed, over the same images. Per image, scores are averaged over the seeds; the
images are then drawn with replacement. Prints mean and spread over seeds of each set, and what each later set differs
from the first, with the 95 % interval. Of files that ``--protocol both`` wrote, ``--protocol`` says which scores.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from segraft.metrics.bootstrap import paired_difference

SCORES = ("aji", "pq", "f1", "sq", "dice", "sbd", "dic", "voi", "arand")


def read(files: list[str], protocol: str) -> dict[str, np.ndarray]:
    """Scores by name, each ``(seeds, images)`` in the order of the images' names."""
    held = [json.loads(Path(file).read_text()) for file in files]
    runs = [each.get(protocol, each)["images"] for each in held]
    names = sorted(runs[0])
    if any(sorted(run) != names for run in runs):
        raise SystemExit("the files score different images; wanted the same in each")
    return {score: np.array([[run[name][score] for name in names] for run in runs], float) for score in SCORES}


def spread(values: np.ndarray) -> str:
    """Mean over all, and standard deviation over seeds of the means over images."""
    return f"{values.mean():.4f} ± {values.mean(1).std(ddof=min(1, len(values) - 1)):.4f}"


def difference(values: np.ndarray, base: np.ndarray) -> str:
    """Mean difference of two sets, and its interval."""
    mean, low, high = paired_difference(values.mean(0), base.mean(0))
    return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"


def table(head: list[str], rows: dict[str, list[str]]) -> None:
    """Print a Markdown table, a row per score."""
    print("| " + " | ".join(["score", *head]) + " |\n" + "|---" * (len(head) + 1) + "|")
    for score, cells in rows.items():
        print("| " + " | ".join([score, *cells]) + " |")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="+", action="append", required=True, metavar="NAME FILE")
    parser.add_argument("--protocol", choices=("ours", "paper"), default="ours", help="of files that hold both")
    options = parser.parse_args()
    sets = {name: read(files, options.protocol) for name, *files in options.runs}
    table(list(sets), {score: [spread(scores[score]) for scores in sets.values()] for score in SCORES})
    (first, base), *others = sets.items()
    print()
    table(
        [f"{name} − {first}" for name, _ in others],
        {score: [difference(scores[score], base[score]) for _, scores in others] for score in SCORES},
    )


if __name__ == "__main__":
    main()
