"""Of large images in a folder no more than the centre, for those who only look at it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import partial

from segraft.data.folder import MASKS, PLANES, Layout, Pair, Reader, unlike
from segraft.data.samples import LazySamples
from segraft.errors import Notice
from segraft.images.channels import layout as layout_of
from segraft.images.label_sources import LabelImage
from segraft.images.lazy import Source, described, is_lazy, large, lazy_labels
from segraft.images.windows import central, in_words
from segraft.labels.check import check_labels
from segraft.types import Sample, Space


def centres(samples: Sequence, at_most: Mapping[int, Space]) -> Sequence:
    """The same samples, but of large images with label images the centre alone, ``at_most`` by the axes of space.

    Images are large together with their labels, see `segraft.images.lazy.large`, and are read in parts. A ``Notice``
    tells of each. Those of other data sets than ``folder`` are read whole, and those of which a strip is taken.
    """
    if not isinstance(samples, LazySamples) or not isinstance(samples.read, Reader):
        return samples
    return LazySamples(samples.items, partial(_read, samples.read, at_most))


def _read(reader: Reader, at_most: Mapping[int, Space], pair: Pair) -> Sample:
    """Read the centre of a large pair, and any other pair whole."""
    sources = _sources(reader.layout, pair)
    if sources is None or not large(*sources):
        return reader(pair)
    image, labels = sources
    if image.space != labels.space:
        raise unlike(pair, image.space, labels.space)
    box = central(image.space, at_most[len(image.space)])
    warnings.warn(
        Notice(
            f"{pair.name} is large, {' × '.join(map(str, image.space))} pixels: only its centre is looked at, "
            f"{in_words(box)}"
        ),
        stacklevel=2,
    )
    with image.open() as pixels, labels.open() as ids:
        part, truth = pixels.read(box), check_labels(ids.read(box)[0], str(labels.where))
    return Sample(part, MASKS[reader.layout.masks](truth), f"{pair.name} (centre)", image.voxel_size)


def _sources(layout: Layout, pair: Pair) -> tuple[Source, Source] | None:
    """Describe an image and its label image; None where they cannot be read in parts, or have to be read whole."""
    if pair.part is not None or layout.masks == PLANES or not isinstance(pair.labels, LabelImage):
        return None
    if not is_lazy(pair.image) or not is_lazy(pair.labels.path):
        return None
    labels = lazy_labels(pair.labels.path)
    ndim, space = layout.ndim or len(labels.space), labels.space
    image = described(
        pair.image, lambda shape, name, letters: layout_of(shape, ndim, layout.channels, name, space, letters)
    )
    return image, labels
