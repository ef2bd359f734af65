"""Objects in GeoJSON, as QuPath exports them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.files import read_json
from segraft.labels.outlines import IGNORED
from segraft.labels.shapes import Outline

EXPECTED = "GeoJSON, a FeatureCollection or a list of features"


def read_geojson(path: Path) -> list[Outline]:
    """Read the objects of a GeoJSON file: Polygons and MultiPolygons with holes, coordinates (x, y) in pixels.

    The file is a FeatureCollection, a list of features or a single feature. Regions of QuPath's class ``Ignore*`` are
    unknown. Raises ``UserError`` for json of another kind and for features that have no area.
    """
    content = read_json(path, EXPECTED)
    features = content.get("features") if isinstance(content, dict) else content
    if isinstance(content, dict) and content.get("type") == "Feature":
        features = [content]
    if not isinstance(features, list) or not all(isinstance(each, dict) and "geometry" in each for each in features):
        coco = isinstance(content, dict) and "annotations" in content
        advice = "name it .json if it is COCO's" if coco else "export the objects as GeoJSON again"
        raise UserError(f"{path}: got json of another kind, expected {EXPECTED}; {advice}")
    return [_outline(path, number, feature) for number, feature in enumerate(features, 1)]


def _outline(path: Path, number: int, feature: dict[str, Any]) -> Outline:
    """Return one feature as an object."""
    properties = feature.get("properties") or {}
    geometry: dict[str, Any] = feature["geometry"] or {}
    kind = geometry.get("type")
    name = str(properties.get("name") or "")
    if kind not in ("Polygon", "MultiPolygon"):
        what = f"{path}, object {number}{f' ({name})' if name else ''}"
        raise UserError(
            f"{what}: got a {kind or 'feature without outline'}, expected a Polygon or MultiPolygon; delete it"
        )
    try:
        parts = geometry["coordinates"] if kind == "MultiPolygon" else [geometry["coordinates"]]
        polygons = tuple(tuple(np.array(ring, float)[:, :2] for ring in polygon) for polygon in parts)
    except (KeyError, TypeError, ValueError, IndexError):
        polygons = ()
    if not polygons or not all(polygons):
        raise UserError(f"{path}, object {number}: got no list of rings of (x, y), expected one; export it again")
    ignored = (properties.get("classification") or {}).get("name") == IGNORED
    return Outline(name, polygons, ignored)
