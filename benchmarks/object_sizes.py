"""Scores on images enlarged and shrunk, as they are and with ``--object-size auto``.

    python benchmarks/object_sizes.py nuclei --root dsb2018 --every 2

Images are resized linearly and keep their type, true labels by the nearest pixel.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import segraft
from segraft.data import open_dataset
from segraft.model.model import Model
from segraft.model.resize import nearest, resize
from segraft.types import Sample

WAYS: dict[str, dict[str, Any]] = {"as it is": {}, "--object-size auto": {"object_size": "auto"}}
SCORES = ("f1", "pq", "aji")


def resized(sample: Sample, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """The image ``(C, *space)`` of a sample, of its own type, and its labels ``(*space)``, at another size."""
    space = tuple(max(1, round(side * factor)) for side in sample.image.shape[1:])
    image = resize(sample.image, space)
    if np.issubdtype(sample.image.dtype, np.integer):
        image = np.round(image)
    return image.astype(sample.image.dtype), nearest(np.asarray(sample.labels), space)


def scores(model: Model, sample: Sample, factor: float, options: dict[str, Any]) -> list[float]:
    """The ``SCORES`` of one image."""
    image, truth = resized(sample, factor)
    found = segraft.evaluate(model.predict(image, **options), truth)
    return [float(found[name]) for name in SCORES]  # type: ignore[arg-type]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--root", required=True, help="data set: a folder of images and masks")
    parser.add_argument("--split", default="val")
    parser.add_argument("--every", type=int, default=1, help="which images: every N-th")
    parser.add_argument("--factors", nargs="+", type=float, default=[1.0, 0.5, 2.0])
    told = parser.parse_args()
    model = segraft.load(told.model, "cpu")
    samples = open_dataset("folder", told.root, told.split)[:: told.every]
    print(f"| size, {len(samples)} images | | F1 | PQ | AJI |\n|---|---|---|---|---|")
    for factor in told.factors:
        for way, options in WAYS.items():
            means = np.mean([scores(model, sample, factor, options) for sample in samples], axis=0)
            print(f"| × {factor:g} | {way} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


if __name__ == "__main__":
    main()
