"""Draw ``docs/images/overview.png`` from a demonstration: ``python docs/make_overview.py segraft-demo``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from segraft import load
from segraft.data import open_dataset
from segraft.reporting.pictures import crop, label_colours
from segraft.reporting.projection import fit_projection

SIDE = 160
RUNS = {"teacher": "teacher", "student alone": "student-alone", "student distilled": "student-distilled"}


def main(demo: Path) -> None:
    """One test image, its truth, and what the three models make of it."""
    sample = open_dataset("folder", demo / "data", "test")[0]
    truth = crop(np.asarray(sample.labels), SIDE)
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    axes = figure.subplots(2, 4)
    axes[0, 0].imshow(crop(sample.image[0], SIDE), cmap="gray")
    axes[1, 0].imshow(label_colours(truth))
    axes[0, 0].set_title("image")
    axes[1, 0].set_title("truth")
    projection = None
    for column, (name, folder) in zip(axes.T[1:], RUNS.items(), strict=True):
        model = load(demo / folder, device="cpu")
        embedding, _ = model.embed(sample.image)
        embedding = np.stack([crop(channel, SIDE) for channel in embedding])
        projection = projection or fit_projection(embedding)
        column[0].imshow(projection(embedding))
        column[1].imshow(label_colours(crop(model.predict(sample.image), SIDE), truth))
        column[0].set_title(f"embedding, {name}")
        column[1].set_title(f"{sum(p.numel() for p in model.network.parameters()):,} parameters")
    for axis in axes.flat:
        axis.set_axis_off()
    figure.savefig(Path(__file__).parent / "images" / "overview.png", dpi=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
