"""Surfaces of objects in a volume, and pictures of them; matplotlib draws, no display is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LightSource, to_rgba
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from skimage.measure import marching_cubes

CELLS = 48
"""Cells along the longest axis, at most, whose corners a surface has: more take time and cannot be seen."""
PIXELS = 340
"""Side of a picture."""
FINER = 2
"""Factor by which pictures are drawn larger, and then made smaller, for smooth edges."""
AWRY = np.array([-0.55, -0.75, 0.45])
"""From where several objects are seen: x, y, z."""
LIGHT = LightSource(azdeg=225, altdeg=45)


@dataclass(frozen=True)
class Surface:
    """Triangles ``(n, 3, 3)`` as x, y, z, and their red, green, blue and opacity."""

    triangles: np.ndarray
    colour: tuple[float, float, float, float]


@dataclass(frozen=True)
class Mark:
    """A sign at a place of a volume."""

    marker: str
    colour: str
    place: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """x, y, z."""

    def at(self, place: np.ndarray) -> Mark:
        """The same sign at a place given as z, y, x."""
        return replace(self, place=tuple(place[::-1].tolist()))


def surface(mask: np.ndarray, voxel_size: Sequence[float | int], colour: str, opacity: float = 1.0) -> Surface:
    """The surface of a boolean mask ``(z, y, x)``, on a grid of at most ``CELLS`` cells along its longest axis.

    An empty mask, and one of which nothing is left on that grid, has none.
    """
    inked = to_rgba(colour, opacity)
    if not mask.any():
        return Surface(np.zeros((0, 3, 3)), inked)
    units = np.asarray(voxel_size, float)
    along = [np.flatnonzero(mask.any(tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    begin, end = (np.array([each[side] for each in along]) + shift for side, shift in ((0, 0), (-1, 1)))
    cell = ((end - begin) * units).max() / CELLS
    strides = np.maximum(1, np.floor(cell / units)).astype(int)
    filled = np.pad(_means(mask[tuple(map(slice, begin, end))], strides), 1)
    if filled.max() <= 0.5:
        return Surface(np.zeros((0, 3, 3)), inked)
    corners, faces, *_ = marching_cubes(filled, 0.5, spacing=tuple(strides * units))
    corners += (begin - strides * 0.5) * units  # the padding, and a cell's value lies in its middle
    return Surface(corners[:, ::-1][faces], inked)


def _means(mask: np.ndarray, strides: np.ndarray) -> np.ndarray:
    """How much of each block of a mask is filled."""
    padded = np.pad(mask, [(0, -size % stride) for size, stride in zip(mask.shape, strides, strict=True)])
    blocks = [part for size, stride in zip(padded.shape, strides, strict=True) for part in (size // stride, stride)]
    return padded.reshape(blocks).mean((1, 3, 5), dtype=np.float32)


def render(
    surfaces: Sequence[Surface], marks: Sequence[Mark], view: np.ndarray | None, box: Sequence[float | int]
) -> np.ndarray:
    """Draw surfaces and marks inside the outline of a box: ``(y, x, 3)`` uint8, square.

    Parameters
    ----------
    view : direction ``(3,)``, as z, y, x, from which they are seen; None for one that shows three sides of the box
    box : its size as z, y, x
    """
    figure = Figure((1, 1), dpi=PIXELS * FINER, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    axes: Any = figure.add_axes((0, 0, 1, 1), projection="3d", computed_zorder=False)
    towards = AWRY if view is None else np.asarray(view)[::-1]
    x, y, z = towards / np.linalg.norm(towards)
    axes.view_init(elev=math.degrees(math.asin(z)), azim=math.degrees(math.atan2(y, x)))
    axes.set_axis_off()
    depth, height, width = box
    axes.set(xlim=(0, width), ylim=(0, height), zlim=(0, depth))
    axes.set_box_aspect((width, height, depth), zoom=1.05)
    for one, other in _edges((width, height, depth)):
        axes.plot(*zip(one, other, strict=True), color="#b0bec5", linewidth=0.15, zorder=0)
    shown = [each for each in surfaces if len(each.triangles)]
    if shown:  # one collection: triangles of all surfaces are sorted by depth together
        colours = np.concatenate([np.tile(each.colour, (len(each.triangles), 1)) for each in shown])
        triangles = np.concatenate([each.triangles for each in shown])
        solid = Poly3DCollection(triangles, facecolors=colours, shade=True, lightsource=LIGHT, zorder=1)
        solid.set(linewidth=0, antialiased=False)
        axes.add_collection3d(solid)
    for mark in marks:
        axes.plot(
            *([each] for each in mark.place),
            marker=mark.marker,
            color=mark.colour,
            markersize=4.2,
            markeredgecolor="black",
            markeredgewidth=0.35,
            zorder=2,
        )
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]
    return _smaller(pixels)


def _smaller(pixels: np.ndarray) -> np.ndarray:
    """A picture made smaller by ``FINER``."""
    height, width = (size // FINER for size in pixels.shape[:2])
    blocks = pixels[: height * FINER, : width * FINER].reshape(height, FINER, width, FINER, 3)
    return blocks.mean((1, 3)).round().astype(np.uint8)


def _edges(size: Sequence[float | int]) -> list[tuple[tuple[float | int, ...], tuple[float | int, ...]]]:
    """The twelve edges of a box, as pairs of corners."""
    corners = [tuple(extent * bit for extent, bit in zip(size, bits, strict=True)) for bits in np.ndindex(2, 2, 2)]
    return [
        (one, other)
        for one in corners
        for other in corners
        if one < other and sum(a != b for a, b in zip(one, other, strict=True)) == 1
    ]
