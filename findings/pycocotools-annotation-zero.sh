#!/usr/bin/env bash
# pycocotools counts an object whose annotation has the id 0 as missed, however well it was found.
#
# Packages: pycocotools 2.0.11, numpy 2.4.6 (Python 3.11 or later).
#
# Expected: COCO's description of its format (cocodataset.org, Data format) says that the id of an annotation is an
#   int, and no more. Counting objects from 0 is therefore valid. Results that are exactly the truth should have an
#   average precision (AP) of 1, whatever the ids are.
# Seen: the evaluation notes for each result the id of the object that it matched, and reads 0 as none. The object with
#   the id 0 is matched, then counted as missed, and its result as a false positive. Four cells found perfectly have an
#   AP of 0.56 when counted from 0, and of 1 when counted from 1. Where an image holds a single object, with the id 0,
#   the AP of that perfect result is 0. Results are safe: they are numbered from 1 anew when they are loaded. Reported
#   in 2024 as issue 664 of cocodataset/cocoapi.
# Why it matters: label images are often written to COCO by enumerate(), which counts from 0. In thousands of objects
#   nobody sees the one that is lost; with a few test images or a small class it moves the score, and in a test of one
#   image it looks as if the coordinates were wrong. No message says so.
# Do instead: number annotations from 1. Check an evaluation by scoring the truth against itself: it must give 1.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: \
    pycocotools==2.0.11 numpy==2.4.6

"$folder/venv/bin/python" -I - <<'PY'
import contextlib
import io
import sys

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

SHAPE = (20, 80)


def square(number):
    """The runs of a square of 10 × 10 pixels, the next one 20 pixels to the right."""
    mask = np.zeros(SHAPE, np.uint8, order="F")
    mask[5:15, 20 * number + 5 : 20 * number + 15] = 1
    return coco_mask.encode(mask)


def score(count, first):
    """AP at IoU 0.5 of a perfect result for so many objects in one image, numbered from ``first``, and the matches."""
    truth = COCO()
    truth.dataset = {
        "images": [{"id": 1, "file_name": "cells.png", "height": SHAPE[0], "width": SHAPE[1]}],
        "categories": [{"id": 1, "name": "cell"}],
        "annotations": [
            {
                "id": first + number,
                "image_id": 1,
                "category_id": 1,
                "segmentation": square(number),
                "area": 100,
                "bbox": [20 * number + 5, 5, 10, 10],
                "iscrowd": 0,
            }
            for number in range(count)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        results = [
            {"image_id": 1, "category_id": 1, "segmentation": square(number), "score": 0.9} for number in range(count)
        ]
        evaluation = COCOeval(truth, truth.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return round(float(evaluation.stats[1]), 2), evaluation.evalImgs[0]["dtMatches"][0].astype(int).tolist()


seen = {(count, first): score(count, first) for count in (4, 1) for first in (1, 0)}
for (count, first), (precision, matches) in seen.items():
    print(f"{count} found perfectly, numbered from {first}: AP {precision:.2f}, ids of the matches {matches}")

if any(seen[count, 1][0] != 1 for count in (4, 1)):
    sys.exit("changed: a perfect result numbered from 1 no longer has an AP of 1")
if seen[4, 0][0] != 0.56 or seen[1, 0][0] != 0:
    sys.exit("changed: the object with the id 0 is no longer counted as missed")
PY
