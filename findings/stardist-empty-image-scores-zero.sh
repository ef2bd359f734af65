#!/usr/bin/env bash
# stardist scores an empty image that was segmented perfectly as 0, so a perfect result has a mean below 1.
#
# Packages: stardist 0.9.2, csbdeep 0.8.2, numba 0.68.1, numpy 2.4.6, and what these need, pinned below (Python 3.11 or
#   later).
#
# Expected: the documentation of stardist.matching.matching calls precision, recall, accuracy, f1 and panoptic_quality
#   metrics between a true and a predicted label image, and that of matching_dataset says "matching metrics for list of
#   images". It does not say what two equal images without objects score. That prediction is right in every pixel, so
#   one expects 1, or that the pair is left out of the mean.
# Seen: where nothing is to be found and nothing is found, all five are 0, as for a prediction that is wrong. With
#   by_image=True matching_dataset takes the mean over images with these zeros: a segmentation that equals the truth
#   scores f1 and panoptic quality 0.5 where half of the images are empty. Nothing warns. With the default,
#   by_image=False, matches are pooled over the set, and the same segmentation scores 1.
# Why it matters: sets of cropped microscope images have empty ones. The mean over images then has a ceiling below 1
#   that depends on the set, and for such an image a model that invents cells scores no worse than one that is right. A
#   mean from a package in which such a pair scores 1 or is left out cannot be compared with it.
# Do instead: pool the matches (by_image=False), or score only images whose truth or prediction has an object and say
#   how many were left out; count inventions in empty images by fp.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: --no-deps \
    stardist==0.9.2 csbdeep==0.8.2 numba==0.68.1 llvmlite==0.50.0 numpy==2.4.6 scipy==1.17.1 tqdm==4.70.1 \
    scikit-image==0.26.0 networkx==3.6.1 pillow==13.0.0 imageio==2.38.1 tifffile==2026.3.3 packaging==26.4 \
    lazy-loader==0.6 six==1.17.0

"$folder/venv/bin/python" -I - <<'PY'
import sys

import numpy as np
from stardist.matching import matching, matching_dataset

NAMES = ("precision", "recall", "accuracy", "f1", "panoptic_quality")


def scores(result):
    return {name: round(float(getattr(result, name)), 4) for name in NAMES}


empty = np.zeros((32, 32), np.uint16)
cells = empty.copy()
cells[4:12, 4:12], cells[20:28, 18:30] = 1, 2

perfect = scores(matching(empty, empty))
wrong = scores(matching(empty, cells))
full = scores(matching(cells, cells))
truths, found = [cells, empty], [cells.copy(), empty.copy()]
means = scores(matching_dataset(truths, found, by_image=True, show_progress=False))
pooled = scores(matching_dataset(truths, found, show_progress=False))
print("truth and prediction both empty           ", perfect)
print("truth empty, two cells invented           ", wrong)
print("two cells, both found exactly             ", full)
print("a perfect set, half empty, by_image=True  ", means)
print("the same set, matches pooled              ", pooled)

if any(value != 1 for value in (*full.values(), *pooled.values())):
    sys.exit("changed: a perfect segmentation of cells, or a pooled perfect set, no longer scores 1")
if any(value != 0 for value in (*perfect.values(), *wrong.values())):
    sys.exit("changed: an empty image no longer scores 0 whatever is predicted")
if any(value != 0.5 for value in means.values()):
    sys.exit("changed: the mean over images of a perfect set, half of it empty, is no longer 0.5")
PY
