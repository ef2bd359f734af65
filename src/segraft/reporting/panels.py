"""Figures that are rows of pictures side by side, a column for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from segraft.reporting.figures import INK

WIDTH = 2.1
"""Inches of a column."""
HEADING, WORDS, LEGEND = 0.3, 0.24, 0.35
"""Inches above all pictures, below each row of them, and at the end."""


@dataclass(frozen=True)
class Panel:
    """A picture, grey ``(y, x)`` or colour ``(y, x, 3)``, uint8, and the words below it."""

    pixels: np.ndarray
    words: str = ""


@dataclass(frozen=True)
class Row:
    """What is shown of one image: a panel per column, all of one shape, and the words on their left."""

    name: str
    panels: Sequence[Panel]


def draw_panels(rows: Sequence[Row], columns: Sequence[str], legend: Mapping[str, str]) -> Figure:
    """Draw rows of panels below the names of their columns; ``legend`` has colours by what they mean."""
    heights = [row.panels[0].pixels.shape[0] / row.panels[0].pixels.shape[1] * WIDTH + WORDS for row in rows]
    size = (WIDTH * len(columns) + 0.4, HEADING + sum(heights) + (LEGEND if legend else 0))
    figure = Figure(size, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.03, wspace=0, hspace=0)  # type: ignore[union-attr]
    axes = figure.subplots(len(rows), len(columns), squeeze=False, gridspec_kw={"height_ratios": heights})
    for number, (row, of_row) in enumerate(zip(rows, axes, strict=True)):
        for axis, panel, column in zip(of_row, row.panels, columns, strict=True):
            axis.imshow(panel.pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            axis.set_xlabel(panel.words, fontsize=7.5, color=INK)
            if number == 0:
                axis.set_title(column, fontsize=10, color=INK)
        of_row[0].set_ylabel(row.name, fontsize=8, color=INK)
    if legend:
        patches = [Patch(facecolor=colour, label=name) for name, colour in legend.items()]
        figure.legend(
            handles=patches, loc="outside lower center", ncols=len(patches), fontsize=8.5, frameon=False, labelcolor=INK
        )
    return figure
