#!/usr/bin/env bash
# In OME-Zarr files written by ome-zarr-py, coarse levels of labels lie up and left of those of their image.
#
# Packages: ome-zarr 0.18.0, zarr 3.1.6, dask 2026.8.0, scikit-image 0.26.0, scipy 1.17.1, numpy 2.4.6, and the packages
#   that they need, pinned below (Python 3.11 or later).
#
# Expected: an image and its labels, of the same shape and written with the defaults of ome_zarr.writer.write_image and
#   write_labels, lie upon one another at every level. Both state the same scale and translation for each level (level 3:
#   scale 8, translation 3.5, in pixels of the finest level), which says that a pixel lies in the middle of those that it
#   covers.
# Seen: this holds for the image, whose levels are averages. A level of the labels is every 2nd, 4th, 8th pixel of the
#   finest, but not the one in the middle, where the stated translation puts it: centres of discs are 0.5, 1.3, 4.5 and
#   8.6 pixels of the finest level too far up and left at levels 1 to 4, in y and in x.
# Why it matters: whoever looks at a slide or a volume from afar sees a coarse level. Outlines are then shifted against
#   the cells, which looks like a bad segmentation, or like a registration that failed; measurements of intensity at a
#   coarse level, as is usual for large images, take the wrong pixels. Nothing in the file shows it: its metadata says
#   that both are aligned.
# Do instead: measure at the finest level. To write labels, give write_multiscale_labels a list of levels of one's own,
#   each with the most frequent id of every group of pixels; or a list of the finest alone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --only-binary :all: --no-deps \
    ome-zarr==0.18.0 zarr==3.1.6 dask==2026.8.0 scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6 numcodecs==0.16.6 \
    fsspec==2026.9.0 s3fs==2026.9.0 aiobotocore==3.10.0 botocore==1.43.117 aiohttp==3.14.5 aiohappyeyeballs==2.7.1 \
    aiosignal==1.4.0 aioitertools==0.13.0 frozenlist==1.8.0 multidict==7.2.1 propcache==0.5.4 yarl==1.25.1 idna==3.20 \
    attrs==26.1.0 jmespath==1.1.0 python-dateutil==2.9.0.post0 six==1.17.0 urllib3==2.8.0 wrapt==2.5.2 \
    requests==2.34.2 certifi==2026.10.19.post1 charset-normalizer==3.5.3 donfig==0.8.1.post1 google-crc32c==1.9.0 \
    packaging==26.4 typing-extensions==4.16.0 toolz==1.2.0 partd==1.4.2 locket==1.0.0 cloudpickle==3.1.3 \
    click==8.5.1 PyYAML==6.0.4 lazy-loader==0.6 networkx==3.6.1 pillow==13.0.0 imageio==2.38.1 tifffile==2026.3.3 \
    Deprecated==1.3.1 importlib-metadata==10.2.0 zipp==4.1.2 rangehttpserver==1.4.0 ome-zarr-models==1.7 \
    pydantic==2.12.5 pydantic-core==2.41.5 pydantic-zarr==0.9.2 annotated-types==0.8.0 typing-inspection==0.4.5 \
    lazy-importer==0.1.0

"$folder/venv/bin/python" -I - "$folder/cells.zarr" <<'PY'
import sys

import numpy as np
import zarr
from ome_zarr.writer import write_image, write_labels

# Sixteen discs, one image of them and their labels.
y, x = np.mgrid[:256, :256]
labels = np.zeros((256, 256), np.uint16)
for number, (cy, cx) in enumerate(((cy, cx) for cy in range(32, 256, 64) for cx in range(32, 256, 64)), 1):
    labels[(y - cy) ** 2 + (x - cx) ** 2 <= 400] = number
group = zarr.open_group(sys.argv[1], mode="w")
write_image((labels > 0).astype(np.uint16) * 1000, group, axes="yx")
write_labels(labels, group, "cells", axes="yx")


def levels(group):
    """(array, scale, translation) of each level."""
    for level in group.attrs["ome"]["multiscales"][0]["datasets"]:
        stated = {each["type"]: each[each["type"]] for each in level["coordinateTransformations"]}
        yield group[level["path"]][:], np.array(stated["scale"]), np.array(stated["translation"])


def centre(weights, scale, translation):
    """Where all discs together lie, in pixels of the finest level, by what the file states."""
    places = [np.average(axis, weights=weights) for axis in np.indices(weights.shape)]
    return np.array(places) * scale + translation


drifts = []
for (image, *place), (coarse, *stated) in zip(levels(group), levels(group["labels/cells"])):
    assert image.shape == coarse.shape and all(map(np.array_equal, place, stated)), "levels differ in what they state"
    there, here = centre(image, *place), centre(coarse > 0, *stated)
    drifts.append((here - there).round(1).tolist())
    print(f"scale {place[0][0]:g}: image at {there.round(1).tolist()}, labels at {here.round(1).tolist()}, {drifts[-1]} apart")
if drifts != [[0.0, 0.0], [-0.5, -0.5], [-1.3, -1.3], [-4.5, -4.5], [-8.6, -8.6]]:
    sys.exit(f"changed: labels lie {drifts} from their image, level by level")
PY
