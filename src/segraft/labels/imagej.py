"""Objects as ImageJ's regions of interest: a single .roi, or the zip of the ROI manager."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.labels.check import UNKNOWN
from segraft.labels.outlines import Ring, object_polygons
from segraft.labels.shapes import Outline

if TYPE_CHECKING:
    from roifile import ImagejRoi

UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
"""Corners of a pixel."""
FARTHEST = 60_535
"""Pixels from the image's corner that a region may reach: ImageJ reads 16 bits, the last 5000 values as negative."""
MOVE, LINE, CLOSE = 0.0, 1.0, 4.0
"""Steps of a path in a region of several outlines (java.awt.geom.PathIterator)."""


def read_rois(path: Path) -> list[Outline]:
    """Read the objects of a .roi or .zip: polygons, freehand and traced ones, rectangles, ovals, and several in one.

    Positions in a stack do not matter. Raises ``UserError`` for regions without area, such as points and lines, and
    what the library raises for broken files.
    """
    from roifile import roiread

    found = roiread(path)
    rois = found if isinstance(found, list) else [found]
    return [_outline(path, number, roi) for number, roi in enumerate(rois, 1)]


def _outline(path: Path, number: int, roi: ImagejRoi) -> Outline:
    """Return one region as an object."""
    from roifile import ROI_SUBTYPE, ROI_TYPE

    kind = ROI_TYPE(roi.roitype)
    other = roi.subtype.name if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE) else None
    if kind is ROI_TYPE.RECT and roi.rounded_rect_arc_size:
        other = "rounded rectangle"
    if kind is ROI_TYPE.RECT and roi.composite:
        return Outline(roi.name, (tuple(np.asarray(ring, float) for ring in roi.coordinates(multi=True)),))
    if kind in (ROI_TYPE.RECT, ROI_TYPE.OVAL) and not other:
        return Outline(roi.name, ((_oval(roi) if kind is ROI_TYPE.OVAL else _rectangle(roi),),))
    if kind in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED):
        return Outline(roi.name, ((np.asarray(roi.coordinates(), float),),))
    what, got = f" ({roi.name})" if roi.name else "", (other or kind.name).lower()
    raise UserError(
        f"{path}, object {number}{what}: got a region of the kind {got}, "
        "expected one with an area (polygon, freehand, traced, rectangle, oval); delete it"
    )


def _rectangle(roi: ImagejRoi) -> np.ndarray:
    """Return the corners (4, 2) of a region's bounding box."""
    corner, size = (roi.left, roi.top), (roi.right - roi.left, roi.bottom - roi.top)
    if roi.subpixelrect:
        return UNIT * (roi.widthd, roi.heightd) + (roi.xd, roi.yd)
    return UNIT * size + corner


def _oval(roi: ImagejRoi) -> np.ndarray:
    """Return points along an ellipse, so many that it is exact to a thousandth of a pixel."""
    corners = _rectangle(roi)
    centre, radius = corners.mean(0), np.ptp(corners, axis=0) / 2
    count = int(np.ceil(np.pi * np.sqrt(500 * max(1.0, radius.max())))) + 8
    angle = np.arange(count) * 2 * np.pi / count
    return centre + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def write_rois(path: str | Path, labels: np.ndarray) -> None:
    """Write each object of labels ``(y, x)`` as a region of an ImageJ zip, completely or not at all.

    The outlines follow the edges of pixels; a region's name is the object's id. Raises ``UserError`` for volumes, for
    unknown pixels (−1) and objects beyond pixel 60 535, which the format cannot hold, and for a full disk or a
    read-only folder.
    """
    from zipfile import ZipFile

    if (labels == UNKNOWN).any():
        raise UserError(
            "got unknown pixels (−1), expected none, as regions of ImageJ cannot say it; convert to geojson or coco"
        )
    regions = [_region(str(number), polygons) for number, polygons in object_polygons(labels)]
    with unwritable(Path(path)), replacing(Path(path)) as temporary, ZipFile(temporary, "w") as archive:
        for region in regions:
            archive.writestr(f"{region.name}.roi", region.tobytes())


def _region(name: str, polygons: list[list[Ring]]) -> ImagejRoi:
    """Return an object as one region: traced, or a path where it has holes or several parts."""
    from roifile import ROI_TYPE, ImagejRoi

    rings = [np.array(ring) for polygon in polygons for ring in polygon]
    (left, top), (right, bottom) = np.concatenate(rings).min(0).tolist(), np.concatenate(rings).max(0).tolist()
    if max(right, bottom) > FARTHEST:
        raise UserError(
            f"object {name}: got a place at x {right}, y {bottom}, expected at most {FARTHEST}, as far as regions of "
            "ImageJ reach; convert to geojson or coco, or cut the image"
        )
    region = ImagejRoi(name=name, left=left, top=top, right=right, bottom=bottom)
    if len(rings) == 1:
        region.roitype, region.n_coordinates = ROI_TYPE.TRACED, len(rings[0]) - 1
        region.integer_coordinates = (rings[0][:-1] - (left, top)).astype(np.int32)
        return region
    path: list[float] = []
    for ring in rings:
        steps = [(LINE if index else MOVE, *point) for index, point in enumerate(ring[:-1].tolist())]
        path += [*(value for step in steps for value in step), CLOSE]
    region.roitype, region.shape_roi_size = ROI_TYPE.RECT, len(path)
    region.multi_coordinates = np.array(path, np.float32)
    return region
