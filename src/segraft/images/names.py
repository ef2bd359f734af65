"""Names of files: which image and which label image belong together."""

from __future__ import annotations

import re
from pathlib import Path

from segraft.images.reading import split_key

LABEL_ENDING = re.compile(r"[_-](cp_)?(masks?|labels?|seg)$", re.IGNORECASE)
"""Endings of the stems of label images, ``_masks`` and Cellpose's ``_cp_masks`` and ``_seg`` for example."""
OUTLINE_ENDING = re.compile(r"[_-](masks?|labels?|rois?|roiset|outlines?|annotations?)$", re.IGNORECASE)
"""Endings of the stems of files of outlines, ImageJ's ``_RoiSet`` for example."""
IMAGE_ENDING = re.compile(r"[_-](img|image|raw)$", re.IGNORECASE)
"""Endings of the stems of images, ``_img`` for example."""


def image_stem(path: str | Path) -> str:
    """Return the name of a file without folder, key and suffix: ``a`` for ``b/a.tif``, ``a.ome.tif``, ``a.h5:raw``."""
    return split_key(path)[0].stem.removesuffix(".ome")


def is_label_name(stem: str) -> bool:
    """Return whether a stem has the ending of a label image."""
    return LABEL_ENDING.search(stem) is not None


def pair_name(stem: str, ending: re.Pattern[str] = LABEL_ENDING) -> str:
    """Return the name that an image and its label image share: ``x`` for ``x_img_masks``, ``x_masks`` and ``x_img``.

    Removes ``ending``, then an ``IMAGE_ENDING``.
    """
    return IMAGE_ENDING.sub("", ending.sub("", stem))
