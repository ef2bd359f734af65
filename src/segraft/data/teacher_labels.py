"""Label images that another program made of the images: found by name, and read for one image after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from segraft.data.pairs import coco_labels, find, labels_by_name
from segraft.data.samples import existing_folder, pixels_digest
from segraft.errors import UserError
from segraft.images.label_sources import LabelImage, LabelSource, coco_file, single_sources
from segraft.images.names import image_stem, is_label_name, pair_name
from segraft.types import Sample, Space

PICKLED = ".npy"
"""Suffix of what Cellpose saves beside its label images; where both are there, the latter are read."""


@dataclass
class TeacherLabels:
    """The labels in a folder, by the name of their image, and for which images they were asked."""

    folder: Path
    sources: Mapping[str, LabelSource]
    strips: bool = False
    """Whether samples may be the beginning of an image, along its longest axis, the labels being those of all of it."""
    _seen: dict[str, bytes] = field(default_factory=dict)

    def of(self, sample: Sample) -> np.ndarray | None:
        """Read the labels ``(*space)`` of an image; None where there are none of its name.

        Raises ``UserError`` for labels of another shape, for those that are the image itself, and for a name that
        different images have.
        """
        if (source := self._source(sample.name)) is None:
            return None
        space = sample.image.shape[1:]
        labels = source.read(lambda: space)
        if self.strips:
            labels = _beginning(labels, space)
        if labels.shape != space:
            raise UserError(
                f"{source.path}: got labels of shape {labels.shape}, expected {space} as of the image {sample.name}; "
                "give those of the same image"
            )
        if np.array_equal(labels, sample.image[0]):
            raise UserError(
                f"{source.path}: got the image {sample.name} itself, expected its labels; "
                "name the folder that another program wrote them to"
            )
        digest = pixels_digest(sample.image)
        if self._seen.setdefault(sample.name, digest) != digest:
            raise UserError(
                f"{source.path}: got two different images of the name {sample.name}, expected one, for it is not known "
                "whose labels these are; rename one of the images"
            )
        return labels

    def _source(self, name: str) -> LabelSource | None:
        return self.sources.get(name) or self.sources.get(pair_name(name))


def open_teacher_labels(folder: str | Path, strips: bool = False) -> TeacherLabels:
    """Find the labels in a folder: label images, outlines, folders of masks, a COCO file, or what ``folder`` takes.

    Where some files have the ending of label images, as ``x_cp_masks.png`` and ``x_seg.npy``, others are taken for
    images and left out. ``strips`` as in `TeacherLabels`. Raises ``UserError`` where there are none.
    """
    place = existing_folder(folder, "label images of another program")
    if not (sources := _sources(place)):
        raise UserError(
            f"no labels in {place}, expected label images such as NAME.tif, NAME_cp_masks.png or NAME_seg.npy, "
            "outlines or a COCO file; check the path"
        )
    return TeacherLabels(place, sources, strips)


def _beginning(labels: np.ndarray, space: Space) -> np.ndarray:
    """The first pixels of labels that are longer than an image ``(*space)`` along one axis; others as they are."""
    if labels.ndim != len(space):
        return labels
    longer = [size > own for size, own in zip(labels.shape, space, strict=True)]
    others = [size == own for size, own, more in zip(labels.shape, space, longer, strict=True) if not more]
    return labels[tuple(map(slice, space))] if sum(longer) == 1 and all(others) else labels


def _sources(folder: Path) -> dict[str, LabelSource]:
    """Return the labels in a folder by the name of their image."""
    if (folder / "images").is_dir():
        return find(folder).labels
    found = list(single_sources(folder))
    named = [each for each in found if isinstance(each, LabelImage) and is_label_name(image_stem(each.path))]
    if named:
        images = {pair_name(image_stem(each.path)) for each in named if each.path.suffix.lower() != PICKLED}
        return labels_by_name(
            each
            for each in named
            if each.path.suffix.lower() != PICKLED or pair_name(image_stem(each.path)) not in images
        )
    if found:
        return labels_by_name(found)
    return coco_labels(file) if (file := coco_file(folder)) else {}
