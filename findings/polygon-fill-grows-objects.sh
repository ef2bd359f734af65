#!/usr/bin/env bash
# A polygon of QuPath, ImageJ or COCO that encloses 100 pixels fills 121 in scikit-image, Pillow and OpenCV.
#
# Packages: scikit-image 0.26.0, pillow 13.0.0, opencv-python-headless 5.0.0.93, pycocotools 2.0.11 (for comparison),
#   numpy 2.4.6, and the packages that scikit-image needs, pinned below (Python 3.11 or later).
#
# Expected: QuPath, ImageJ and COCO count from the corner of the image, so that whole numbers are edges of pixels. The
#   square from (2, 2) to (12, 12) has the area 100, and 100 pixels have their centre inside. pycocotools gives them.
#   skimage.draw.polygon2mask makes, by its documentation, the mask that corresponds to the polygon, and cv2.fillPoly
#   fills the area bounded by it. Pillow's (Concepts, Coordinate System) even says that coordinates are corners of
#   pixels.
# Seen: all three take whole numbers for centres of pixels and count those on the border as inside: 121 pixels, a row
#   and a column too many. Of two neighbours that share an edge, both get its pixels, and whichever is drawn later
#   keeps them. Moving the polygon by half a pixel puts scikit-image right. It does not help with Pillow and OpenCV, not
#   even with OpenCV's fractions of a pixel (shift=): they draw the outline itself too, every pixel that it touches.
# Why it matters: this is how most scripts turn annotations of cells into label images. Each object grows by half a
#   pixel on all sides: 21 % of the area of a nucleus 10 pixels wide, and gaps of one pixel between cells close. A
#   network trained on these masks and compared with masks drawn elsewhere loses IoU at every border, for no fault of it.
# Do instead: pycocotools (frPyObjects) or rasterio.features.rasterize, which ask for the pixel's centre; or
#   polygon2mask with half a pixel taken from all coordinates. Check with a square whose area you know.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: \
    scikit-image==0.26.0 pillow==13.0.0 opencv-python-headless==5.0.0.93 pycocotools==2.0.11 numpy==2.4.6 \
    scipy==1.17.1 networkx==3.6.1 imageio==2.38.1 tifffile==2026.3.3 packaging==26.4 lazy-loader==0.6

"$folder/venv/bin/python" -I - <<'PY'
import sys

import cv2
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as coco
from skimage.draw import polygon2mask

SHAPE = (16, 28)
FRACTION = 8  # bits of a pixel, for OpenCV
SQUARE = np.array([(2.0, 2.0), (12.0, 2.0), (12.0, 12.0), (2.0, 12.0)])  # x, y
NEIGHBOUR = SQUARE + (10, 0)


def with_coco(points):
    return coco.decode(coco.frPyObjects([points.ravel().tolist()], *SHAPE))[..., 0] > 0


def with_skimage(points):
    return polygon2mask(SHAPE, points[:, ::-1])


def with_pillow(points):
    picture = Image.new("L", SHAPE[::-1])
    ImageDraw.Draw(picture).polygon([tuple(point) for point in points.tolist()], fill=1)
    return np.asarray(picture) > 0


def with_opencv(points):
    picture = np.zeros(SHAPE, np.uint8)
    cv2.fillPoly(picture, [np.rint(points * 2**FRACTION).astype(np.int32)], 1, shift=FRACTION)
    return picture > 0


seen = {}
print("pixels:         a square of 100   moved by half a pixel   shared with its neighbour")
for name, fill in (
    ("pycocotools", with_coco),
    ("scikit-image", with_skimage),
    ("Pillow", with_pillow),
    ("OpenCV", with_opencv),
):
    shared = fill(SQUARE) & fill(NEIGHBOUR)
    seen[name] = [int(mask.sum()) for mask in (fill(SQUARE), fill(SQUARE - 0.5), shared)]
    print(f"{name:15} {seen[name][0]:15} {seen[name][1]:23} {seen[name][2]:27}")

if seen.pop("pycocotools")[::2] != [100, 0]:
    sys.exit("changed: pycocotools no longer fills 100 pixels for a square of 100")
for name, (filled, moved, shared) in seen.items():
    if (filled, shared) != (121, 11):
        sys.exit(f"changed: {name} no longer fills 121 pixels for a square of 100, 11 of them its neighbour's as well")
    if moved != (100 if name == "scikit-image" else 121):
        sys.exit(f"changed: moving the polygon by half a pixel no longer does with {name} what it did")
PY
