#!/usr/bin/env bash
# The watershed of bioimage-cpp gives a flat area wholly to one seed, and one outlier makes the whole image flat.
#
# Packages: bioimage-cpp 0.10.0, scikit-image 0.26.0 (for comparison), scipy 1.17.1, numpy 2.4.6, and the packages that
#   scikit-image needs, pinned below (Python 3.11 or later).
#
# Expected: the documentation of bioimage_cpp.segmentation.watershed calls it a marker-controlled flooding in the manner
#   of Meyer. That floods a plateau from all its seeds at once, so each seed gets the part next to it; scikit-image's
#   watershed does so. The documentation adds that heights are reduced to 65,536 levels and that the order within a
#   level is not specified. That reads like a pixel more or less along a border.
# Seen: within a level the pixel reached last is flooded first, so one front runs over the whole plateau before another
#   seed moves. Of two equal seeds on a flat foreground one gets everything and the other keeps its own pixels. The
#   levels are spread from the lowest to the highest value of the image: a single pixel of 1e6 in a map of 0 to 1
#   leaves one level for all the rest, so a clear ridge between two cells is lost and one cell swallows the other.
# Why it matters: growing nuclei over a binary foreground, 8-bit or saturated network output with wide flat areas, and
#   fill values outside the tissue are all common. The result looks like a label image, but cells have shrunk to their
#   seeds and their neighbours have taken the rest. No message says so.
# Do instead: on flat ground use the distance to the nearest seed as the height. Leave fill values out with mask=, or
#   clip the heights to their real range. Where plateaus cannot be avoided, use scikit-image's watershed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: \
    bioimage-cpp==0.10.0 scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6 \
    networkx==3.6.1 pillow==13.0.0 imageio==2.38.1 tifffile==2026.3.3 packaging==26.4 lazy-loader==0.6

"$folder/venv/bin/python" -I - <<'PY'
import sys

import numpy as np
from bioimage_cpp.segmentation import watershed as compiled
from scipy.ndimage import distance_transform_edt
from skimage.segmentation import watershed as reference

# Two round seeds of the same size, at the same distance from the middle of the image.
y, x = np.mgrid[:21, :61]
seeds = np.zeros((21, 61), np.uint32)
seeds[(y - 10) ** 2 + (x - 15) ** 2 <= 9] = 1
seeds[(y - 10) ** 2 + (x - 45) ** 2 <= 9] = 2


def sizes(flood, heights, **options):
    labels = flood(heights.astype(np.float32), seeds, **options)
    return [int(np.count_nonzero(labels == seed)) for seed in (1, 2)]


flat = np.zeros(seeds.shape)
ridge = np.full(seeds.shape, 0.1)
ridge[:, 40] = 1
outlier = ridge.copy()
outlier[0, 0] = 1e6

rows = {
    "flat, scikit-image": sizes(reference, flat),
    "flat, bioimage-cpp": sizes(compiled, flat),
    "distance to the seeds, bioimage-cpp": sizes(compiled, distance_transform_edt(seeds == 0)),
    "ridge, scikit-image": sizes(reference, ridge),
    "ridge, bioimage-cpp": sizes(compiled, ridge),
    "ridge and one pixel of 1e6, scikit-image": sizes(reference, outlier),
    "ridge and one pixel of 1e6, bioimage-cpp": sizes(compiled, outlier),
    "the same, that pixel masked, bioimage-cpp": sizes(compiled, outlier, mask=outlier < 1e6),
    "the same, heights clipped at 1, bioimage-cpp": sizes(compiled, np.minimum(outlier, 1)),
}
seed_size = [int(np.count_nonzero(seeds == seed)) for seed in (1, 2)]
print(f"pixels of the two seeds: {seed_size}, of the image: {seeds.size}")
for name, row in rows.items():
    print(f"{name:46} {row}")


def fair(row):
    return min(row) > 0.4 * seeds.size


if not fair(rows["flat, scikit-image"]) or not fair(rows["distance to the seeds, bioimage-cpp"]):
    sys.exit("changed: the references no longer share the flat area between the seeds")
if min(rows["flat, bioimage-cpp"]) != seed_size[0]:
    sys.exit("changed: on flat ground both seeds grow now")
if not rows["ridge, scikit-image"] == rows["ridge, bioimage-cpp"] == rows["ridge and one pixel of 1e6, scikit-image"]:
    sys.exit("changed: the ridge is no longer found without the outlier, or scikit-image minds the outlier")
if min(rows["ridge and one pixel of 1e6, bioimage-cpp"]) != seed_size[0]:
    sys.exit("changed: one outlier no longer hides the ridge")
if rows["the same, heights clipped at 1, bioimage-cpp"] != rows["ridge, bioimage-cpp"]:
    sys.exit("changed: clipping the heights no longer helps")
if rows["the same, that pixel masked, bioimage-cpp"][1] != rows["ridge, bioimage-cpp"][1]:
    sys.exit("changed: masking the outlier no longer helps")
PY
