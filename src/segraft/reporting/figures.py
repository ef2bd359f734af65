"""Figures as SVG inside the page, in whose ink they are drawn. Nothing of matplotlib's global state is left changed."""

from __future__ import annotations

import io
import re
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind readers tell apart, too."""
STYLES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One more than colours, so that together they tell 42 models apart."""
INK, GRID = "#37474f", "#e3e8ea"
OF_THE_PAGE = {INK: "currentColor", GRID: "var(--line)", COLOURS[0]: "var(--blue)"}
"""What the page decides, light or dark, in place of colours that only hold a place until the figure is text."""
UNWANTED = re.compile(
    r'<metadata>.*?</metadata>|<style[ >].*?</style>| xmlns(:\w+)?="[^"]*"| (width|height)="[\d.]+pt"', re.DOTALL
)
"""Of a file of its own: inside a page none of it is needed, and its style sheet would be that of the whole page."""


def look(number: int) -> dict[str, Any]:
    """Colour and line of the model of that number: the same one in all figures."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": STYLES[number % len(STYLES)], "linewidth": 1.7}


def marker(number: int) -> str:
    """Shape of the points of the model of that number."""
    return MARKERS[number % len(MARKERS)]


def ink(number: int) -> str:
    """Colour of the model of that number, for the page's own elements."""
    colour = look(number)["color"]
    return OF_THE_PAGE.get(colour, colour)


def marker_path(number: int, reach: float) -> str:
    """The same shape as an SVG path around the origin, ``reach`` pixels to each side."""
    style = MarkerStyle(marker(number))
    path = (style.get_transform() + Affine2D().scale(2 * reach, -2 * reach)).transform_path(style.get_path())
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    parts = [(letters.get(code, "Z"), ends) for ends, code in path.iter_segments()]
    return "".join(letter + ("" if letter == "Z" else " ".join(f"{end:.4g}" for end in ends)) for letter, ends in parts)


def panel(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """An empty figure of one panel, ``size`` in inches."""
    figure = Figure(size, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.tick_params(which="both", labelsize=8, colors=INK, length=2)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    return figure, axes


def key(number: int) -> str:
    """Line and point of a model, for a legend."""
    figure = Figure((0.4, 0.16))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(-1, 1))
    axes.plot([0, 1], [0, 0], **look(number))
    axes.plot([0.5], [0], color=look(number)["color"], marker=marker(number), markersize=6)
    return svg(figure, "")


def svg(figure: Figure, label: str) -> str:
    """A figure as an SVG element, with words for those who do not see it; without words it is decoration."""
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "segraft"}):  # text stays text; no random names
        figure.savefig(file, format="svg", transparent=True)
    text = file.getvalue()
    text = UNWANTED.sub("", text[text.index("<svg") :])
    for placeholder, colour in OF_THE_PAGE.items():
        text = text.replace(placeholder, colour)
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return text.replace("<svg", f'<svg class="drawn" {role}', 1)
