"""What a model makes of images as microscopes and their users make them, beside the same images as they should be.

Takes validation images of nuclei (DSB2018: 256 × 256 pixels, 8 bits), brings them to more bits, and adds debris, hot
pixels, a scale bar, black padding around a camera's offset; lays them into empty fields of the same noise; and gives
noise alone. Prints AJI, as a mean over images, and how far it is below that of the clean ones.

    python benchmarks/intensities.py runs/alone --root dsb2018
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter

import segraft
from segraft.data import open_dataset
from segraft.metrics.scoring import evaluate

GAIN = 40
"""Grey levels of 8 bits as a camera of 12 bits and an offset would give them."""
BRIGHT = 5.5
"""Debris and hot pixels are that many times as bright as the brightest cells."""
SIDE = 256
Empty = Callable[[np.ndarray, tuple[int, int], np.random.Generator], np.ndarray]
Case = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def main() -> None:
    """Print a table: what was done to the images, the AJI, and the loss."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12, help="images; of those in 3000 x 3000 pixels a quarter")
    options = parser.parse_args()
    model = segraft.load(options.model, "cpu")
    pairs = _images(options.root, options.count)
    clean = [_score(model.predict(image), labels) for image, labels in pairs]
    print(f"{'clean':28} {np.mean(clean):.3f}")
    for name, case in CASES.items():
        chosen = len(pairs) // 4 if "3000" in name else len(pairs)
        rng = np.random.default_rng(0)
        scores = [_score(model.predict(seen), truth) for seen, truth in (case(*pair, rng) for pair in pairs[:chosen])]
        print(f"{name:28} {np.mean(scores):.3f} {np.mean(scores) - np.mean(clean[:chosen]):+.3f}", flush=True)
    for factor in (2.0, 0.5):
        scores = [_score(_wrong(model, image, factor), labels) for image, labels in pairs]
        print(f"{f'scale wrong, x {factor:g}':28} {np.mean(scores):.3f} {np.mean(scores) - np.mean(clean):+.3f}")
    for name, noise in NOISES.items():
        print(f"{name:28} {int(model.predict(noise).max())} objects in {noise.shape[0]} x {noise.shape[1]}", flush=True)
    for name, side, empty in (("three nuclei in 2048 x 2048", 2048, _noise), ("three in black, one hot", 1024, _black)):
        seen, truth = _three(*_fullest(pairs), side, empty)
        labels = model.predict(seen)
        print(f"{name:28} {int(labels.max())} objects, AJI {_score(labels, truth):.3f}")


def _images(root: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Square images ``(y, x)`` with several objects, and their labels."""
    pairs = []
    for sample in open_dataset("folder", root, "val"):
        image = np.asarray(sample.image)[0]
        if image.shape == (SIDE, SIDE) and sample.labels is not None and sample.labels.max() >= 8:
            pairs.append((image.astype(np.uint16) * GAIN, np.asarray(sample.labels)))
    return pairs[:count]


def _score(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(evaluate(labels, truth)["aji"])


def _bright(image: np.ndarray) -> int:
    return int(min(BRIGHT * np.percentile(image, 99.8), 65535))


def _noise(image: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """An empty field as the darkest third of an image is."""
    dark = image[image <= np.percentile(image, 33)].astype(float)
    return np.clip(rng.normal(dark.mean(), max(dark.std(), GAIN / 2), shape), 0, 65535).astype(np.uint16)


def _debris(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """0.28 % of the image, on the background where there is such a place."""
    seen = image.copy()
    places = rng.integers(0, SIDE - 14, (50, 2)).tolist()
    y, x = min(places, key=lambda at: int((labels[at[0] : at[0] + 14, at[1] : at[1] + 13] > 0).sum()))
    seen[y : y + 14, x : x + 13] = _bright(image)
    return seen, labels


def _hot(count: int) -> Case:
    def case(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        seen = image.copy()
        seen[tuple(rng.integers(0, SIDE, (2, count)))] = _bright(image)
        return seen, labels

    return case


def _bar(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A scale bar of 0.6 % of the image, as white as the file can be."""
    seen = image.copy()
    seen[-14:-10, -110:-12] = 255 * GAIN
    return seen, labels


def _within(side: int) -> Case:
    def case(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        seen, truth = _noise(image, (side, side), rng), np.zeros((side, side), labels.dtype)
        at = (slice(300, 300 + SIDE),) * 2
        seen[at], truth[at] = image, labels
        return seen, truth

    return case


def _padded(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Black around a field whose background is at a camera's offset."""
    seen, truth = np.zeros((500, 500), np.uint16), np.zeros((500, 500), labels.dtype)
    at = (slice(100, 100 + SIDE), slice(90, 90 + SIDE))
    seen[at], truth[at] = image + 4000, labels
    return seen, truth


CASES: dict[str, Case] = {
    "debris, 0.28 %": _debris,
    "300 hot pixels": _hot(300),
    "100 hot pixels": _hot(100),
    "scale bar, 0.6 %": _bar,
    "in an empty 1024 x 1024": _within(1024),
    "in an empty 3000 x 3000": _within(3000),
    "black padding, offset 4000": _padded,
}
_RNG = np.random.default_rng(1)
NOISES = {
    "camera noise": _RNG.normal(100, 10, (1024, 1024)).astype(np.uint16),
    "camera noise, faint": _RNG.normal(2, 0.7, (1024, 1024)).clip(0).astype(np.uint8),
    "photon noise": _RNG.poisson(3, (1024, 1024)).astype(np.uint16),
    "smoothed noise": (gaussian_filter(_RNG.normal(0, 50, (1024, 1024)), 1) + 300).astype(np.uint16),
}


def _wrong(model: segraft.Model, image: np.ndarray, factor: float) -> np.ndarray:
    """Segment with a scale that is wrong by a factor."""
    low, high = model.measure([image])
    return model.predict(image, range=(low, low + (high - low) / factor))


def _fullest(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return max(pairs, key=lambda pair: int(pair[1].max()))


def _black(image: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """An empty field whose background was set to zero, with a hot pixel."""
    seen = np.zeros(shape, np.uint16)
    seen[shape[0] // 2, shape[1] // 5] = 60_000
    return seen


def _three(image: np.ndarray, labels: np.ndarray, side: int, empty: Empty) -> tuple[np.ndarray, np.ndarray]:
    """Three lone large objects of an image, with what is 4 pixels around them, in an empty field."""
    field, truth = empty(image, (side, side), np.random.default_rng(2)), np.zeros((side, side), labels.dtype)
    inner = labels[5:-5, 5:-5]
    around = {label: binary_dilation(labels == label, iterations=4) for label in np.unique(inner)[1:]}
    areas = {label: int((inner == label).sum()) for label in around}
    lone = [each for each, mask in around.items() if int((labels[mask] > 0).sum()) == areas[each]]
    background = int(np.median(image[labels == 0])) if empty is _black else 0
    for number, label in enumerate(sorted(lone, key=areas.__getitem__)[-3:]):
        y, x = np.nonzero(around[label])
        at = (y - y.min() + side // 5 * (number + 1), x - x.min() + side // 5 * (number + 1))
        field[at] = np.maximum(image[y, x].astype(int) - background, 0)
        truth[at] = np.where(labels[y, x] == label, number + 1, 0)
    return field, truth


if __name__ == "__main__":
    main()
