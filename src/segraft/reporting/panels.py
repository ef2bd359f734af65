"""Figures that are rows of pictures side by side, a column for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from segraft.reporting.figures import INK

WIDTH = 2.1
"""Inches of a column."""
HEADING, LINE, LEGEND = 0.34, 0.14, 0.27
"""Inches above all pictures, of a line of words below them, and at the end."""
LONGEST = 26
"""Letters of a row's name that are shown: more do not fit beside a picture."""
LETTER = 0.085
"""Inches of a letter of the legend."""


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
    heights = [_height(row) for row in rows]
    width = WIDTH * len(columns) + 0.4
    listed = 1 if sum(map(len, legend)) * LETTER + 0.6 * len(legend) > width else len(legend)  # columns of the legend
    size = (width, HEADING + sum(heights) + (LEGEND + LINE * (len(legend) // listed - 1) if legend else 0))
    engine = ConstrainedLayoutEngine(w_pad=0.04, h_pad=0.03, wspace=0, hspace=0)
    figure = Figure(size, layout=engine, facecolor="white")
    axes = figure.subplots(len(rows), len(columns), squeeze=False, gridspec_kw={"height_ratios": heights})
    for number, (row, of_row) in enumerate(zip(rows, axes, strict=True)):
        for axis, panel, column in zip(of_row, row.panels, columns, strict=True):
            axis.imshow(panel.pixels, cmap="gray", vmin=0, vmax=255, interpolation="antialiased")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            axis.set_xlabel(panel.words, fontsize=7.5, color=INK)
            if number == 0:
                axis.set_title(column, fontsize=10, color=INK)
        of_row[0].set_ylabel(shortened(row.name), fontsize=8, color=INK)
    if legend:
        patches = [Patch(facecolor=colour, label=name) for name, colour in legend.items()]
        figure.legend(
            handles=patches, loc="outside lower center", ncols=listed, fontsize=8, frameon=False, labelcolor=INK
        )
    return figure


def _height(row: Row) -> float:
    """Inches of a row: of its pictures, and of the longest words below them."""
    pixels = row.panels[0].pixels
    lines = max(panel.words.count("\n") + bool(panel.words) for panel in row.panels)
    return pixels.shape[0] / pixels.shape[1] * WIDTH + LINE * lines + 0.06


def shortened(name: str) -> str:
    """The two ends of a name that is too long."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
