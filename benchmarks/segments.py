"""What segments without slivers cost: ``predict`` from array to labels, with and without what makes them.

Compares the default of images (all repulsive edges, thickness 2) with the mutex watershed on a grid of every fifth
pixel that leaves slivers, and times the fragment rule alone, on what the network's images leave and on 200 objects:
apart, touching, and with a thin piece along each border; all in turns, in one run.

    python benchmarks/segments.py --model bbbc039-distilled-0.safetensors --images bbbc039/images
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from scipy.spatial import cKDTree

import segraft
from segraft.images.listing import list_images
from segraft.images.reading import read_image
from segraft.model.config import Segmentation
from segraft.segment.fragments import absorb


def milliseconds(work: Callable[[], object]) -> float:
    """Time of one call."""
    begin = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - begin)


def pieces(count: int, space: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A pavement of objects, each with a rim of 2 pixels of its own number; and affinities, all alike."""
    centres = np.random.default_rng(0).uniform(0, space, (count, 2))
    grid = np.stack(np.meshgrid(*map(np.arange, space), indexing="ij"), -1)
    objects = cKDTree(centres).query(grid)[1] + 1
    rim = np.zeros(space, bool)
    inner = objects[2:-2, 2:-2]
    shifted = [
        objects[2 + y : space[0] - 2 + y, 2 + x : space[1] - 2 + x] for y, x in ((2, 0), (-2, 0), (0, 2), (0, -2))
    ]
    rim[2:-2, 2:-2] = np.any([inner != each for each in shifted], axis=0)
    return (objects + count * rim).astype(np.uint32), np.full((2, *space), 0.5, np.float32)


def main() -> None:
    """Print medians over rounds, in milliseconds, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = segraft.load(options.model, "cpu")
    images = [read_image(path) for path in list_images(options.images)[: options.count]]
    stored = model.config.segmentation
    grid = replace(stored, segmenter="mutex", thickness=0.0, settings={"strides": (5, 5)})
    times: dict[str, list[float]] = {"grid of 5, thickness 0": [], "all edges, thickness 2": [], "fragment rule": []}
    pavement, even = pieces(200, (520, 696))
    rim = pavement > 200
    kinds = {"apart": pavement * ~rim, "touching": np.where(rim, pavement - 200, pavement), "with rims": pavement}
    times |= {f"fragment rule, 200 objects {kind}": [] for kind in kinds}
    for number in range(options.rounds + 1):
        for image in images:
            affinities, probability = model.affinities(image)
            inside = probability > stored.foreground_threshold
            slivers = Segmentation(thickness=0.0)
            raw = slivers.segment(affinities, model.offsets, inside)
            attraction = affinities[:2].clip(0, 1)
            tasks: tuple[Callable[[], object], ...] = (
                lambda image=image: _predict(model, image, grid),
                lambda image=image: model.predict(image, thickness=2.0),
                lambda raw=raw, attraction=attraction: absorb(raw, attraction, 2.0, stored.minimum_size),
                *(lambda each=each: absorb(each, even, 2.0, stored.minimum_size) for each in kinds.values()),
            )
            for kept, task in zip(times.values(), tasks, strict=True):
                taken = milliseconds(task)
                if number:  # the first round warms up
                    kept.append(taken)
    reference, *_ = (median(each) for each in times.values())
    for name, each in times.items():
        print(f"{name}: {median(each):.1f} ms, {median(each) / reference:.3f} of the grid's time")


def _predict(model: segraft.Model, image: object, segmentation: Segmentation) -> object:
    affinities, probability = model.affinities(image)  # type: ignore[arg-type]
    return segmentation.segment(affinities, model.offsets, probability > segmentation.foreground_threshold)


if __name__ == "__main__":
    main()
