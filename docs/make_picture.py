"""Draw one test image, its truth, and what runs make of it, for these pages.

    python docs/make_picture.py picture.png "student alone=segraft-demo/student-alone-0" \\
        "student distilled=segraft-demo/student-distilled-0" --dataset folder --root cells --side 256

Above, the main components of the embeddings as colours, the same for all; below, the objects found, in the colour of
the true object that they match. Of a volume, the middle section. ``--index`` takes another test image, ``--side`` the
centre only.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from segraft import load
from segraft.data import open_dataset
from segraft.reporting.pictures import label_colours
from segraft.reporting.projection import fit_projection
from segraft.reporting.view import shown
from segraft.types import Sample


def draw(sample: Sample, runs: dict[str, Path], side: int) -> Figure:
    """A row of embeddings over a row of labels, a column per run."""
    truth = centre(sample.labels, side)
    figure = Figure(figsize=(2.5 * (len(runs) + 1), 5.4), layout="constrained")
    axes = figure.subplots(2, len(runs) + 1)
    axes[0, 0].imshow(centre(sample.image[0], side), cmap="gray")
    axes[1, 0].imshow(label_colours(truth))
    axes[0, 0].set_title("image")
    axes[1, 0].set_title("truth")
    projection = None
    for (above, below), (name, run) in zip(axes.T[1:], runs.items(), strict=True):
        model = load(run, device="cpu")
        embedding = np.stack([centre(channel, side) for channel in model.embed(sample.image)[0]])
        projection = projection or fit_projection(embedding)
        above.imshow(projection(embedding))
        below.imshow(label_colours(centre(model.predict(sample.image), side), truth))
        above.set_title(f"embedding, {name}")
        below.set_title(f"{model.runner.complexity(model.geometry.minimum)[0]:,} parameters")
    for axis in axes.flat:
        axis.set_axis_off()
    return figure


def centre(array: np.ndarray, side: int) -> np.ndarray:
    """The middle ``(side, side)`` of an image, or of the middle section of a volume."""
    section = shown(np.asarray(array))
    begin = [max(0, size - side) // 2 for size in section.shape]
    return section[tuple(slice(start, start + side) for start in begin)]


def main() -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--dataset", default="folder")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--index", type=int, default=0)
    parser.add_argument("--side", type=int, default=320)
    arguments = parser.parse_args()
    sample = open_dataset(arguments.dataset, arguments.root, "test")[arguments.index]
    runs = {name: Path(run) for name, _, run in (each.partition("=") for each in arguments.runs)}
    file = io.BytesIO()
    draw(sample, runs, arguments.side).savefig(file, dpi=90)
    colours = Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE)  # a quarter of the size
    colours.save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
