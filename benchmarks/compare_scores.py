"""Paired bootstrap of two sets of runs, from the JSON files of ``segraft evaluate``.

    python benchmarks/compare_scores.py --first alone-*.json --second distilled-*.json

Each set holds one file per seed, over the same images. Per image, scores are averaged over the seeds; the images are
then drawn with replacement. Prints mean and spread over seeds of each set, and the 95 % interval of the difference.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from segraft.experiments import paired_difference

SCORES = ("aji", "pq", "f1", "sq", "dice", "sbd", "dic", "voi", "arand")


def read(files: list[Path]) -> dict[str, np.ndarray]:
    """Scores by name, each ``(seeds, images)`` in the order of the images' names."""
    runs = [json.loads(file.read_text())["images"] for file in files]
    names = sorted(runs[0])
    if any(sorted(run) != names for run in runs):
        raise SystemExit("the files score different images; wanted the same in each")
    return {score: np.array([[run[name][score] for name in names] for run in runs], float) for score in SCORES}


def main() -> None:
    """Print the comparison as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=Path, nargs="+", required=True)
    parser.add_argument("--second", type=Path, nargs="+", required=True)
    arguments = parser.parse_args()
    first, second = read(arguments.first), read(arguments.second)
    print("| score | first | second | second − first | 95 % interval |\n|---|---|---|---|---|")
    for score in SCORES:
        a, b = first[score], second[score]
        _, low, high = paired_difference(b.mean(0), a.mean(0))
        cells = (f"{x.mean():.4f} ± {x.mean(1).std(ddof=min(1, len(x) - 1)):.4f}" for x in (a, b))
        print(f"| {score} | {' | '.join(cells)} | {b.mean() - a.mean():+.4f} | {low:+.4f} to {high:+.4f} |")


if __name__ == "__main__":
    main()
