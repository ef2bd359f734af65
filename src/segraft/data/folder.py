"""The user's own images and label images in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segraft.data.pairs import find_single, with_coco
from segraft.data.samples import SPLITS, LazySamples, existing_folder, shuffled
from segraft.data.strips import FEW, strip
from segraft.errors import Notice, UserError, choose
from segraft.files import natural, some
from segraft.images.channels import spatial_axes, to_channels_first
from segraft.images.formats import READERS
from segraft.images.label_sources import LabelImage, LabelSource
from segraft.images.reading import own_label_key, read_image, with_key
from segraft.images.voxel_size import read_voxel_size
from segraft.labels.planes import check_plane, pile_planes
from segraft.labels.relabel import components
from segraft.types import Sample, Space

PLANES = "planes"
MASKS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "components": components,
    "objects": np.asarray,
    PLANES: pile_planes,
}
"""What an object is in masks: each connected piece of one number, what has one number, or each plane of a stack."""
SHARE = 0.15
"""Fraction of the images for validation, and for testing, of a folder without splits of its own."""


class Pair(NamedTuple):
    """An image file, perhaps with a key, and where its labels are; None without labels.

    ``part`` is the split of which only a strip is taken, None for the whole image.
    """

    name: str
    image: Path
    labels: LabelSource | None
    part: str | None = None


@dataclass(frozen=True)
class Layout:
    """The options of ``folder`` that concern its files."""

    ndim: int | None
    channels: tuple[int, ...] | None
    labelled: bool
    image_key: str | None
    label_key: str | None
    masks: str


def folder(
    root: str | Path | None,
    split: str,
    *,
    ndim: int | None = None,
    channels: Sequence[int] | None = None,
    seed: int = 0,
    labelled: bool = True,
    image_key: str | None = None,
    label_key: str | None = None,
    masks: str | None = None,
) -> LazySamples:
    """Open ``images/`` with ``masks/`` or ``labels/``, or ``x.tif`` beside ``x_masks.tif``, in any format.

    In place of a label image there may be a folder with one binary mask per object, outlines of QuPath (``.geojson``)
    or ImageJ (``.roi``, ``.zip``), or one COCO file (``.json``) for all images; so may a folder for each image, with
    its own ``images/`` and ``masks/``. Of objects that overlap the later one lies on top.

    Images are ``(C, *space)``, labels ``(*space)``, in their stored types. Pairs have the same name up to endings such
    as ``_masks`` or ``_img``; an h5 or zarr that holds both needs no partner. Splits are the subfolders
    ``train/ val/ test/``, each laid out like that (without ``val/``, part of ``train/``), else 70, 15 and 15 % drawn
    by name and ``seed``; one or two images are each cut in two by ``strip``, and a ``Notice`` says so. ``ndim`` (2 or
    3) is by default that of the labels; ``channels`` are indices into the channel axis; with ``labelled=False`` images
    may lack labels; ``image_key`` and ``label_key`` name arrays of h5 and zarr and, by number, one of several images in
    a tif.
    With ``masks="components"`` each connected piece of one number is an object, as in masks made by thresholding; with
    ``"objects"``, and by default, what has one number is, and training asks which where masks are binary or numbers
    seem to be used again; with ``"planes"`` each plane of a stack ``(objects, y, x)`` is the mask of one.
    Raises ``UserError`` for missing or empty folders, for images and labels that do not match, and for outlines that
    cross themselves or lie outside their image.
    """
    choose("split", split, SPLITS)
    if ndim not in (None, 2, 3):
        raise UserError(f"ndim: got {ndim}, expected 2 for images or 3 for volumes; omit it to use that of the labels")
    root = existing_folder(root, "images/ and masks/")
    choose("masks", masks := masks or "objects", MASKS)
    layout = Layout(ndim, None if channels is None else tuple(channels), labelled, image_key, label_key, masks)
    return LazySamples(_split(root, split, seed, layout), Reader(layout))


def _split(root: Path, split: str, seed: int, layout: Layout) -> tuple[Pair, ...]:
    """Return the pairs of one split: from the split's own folder where there is one, else drawn."""
    own = {name: root / name for name in SPLITS if (root / name).is_dir()}
    if not own:
        return _draw(_pairs(root, layout), split, seed, root)
    if split in own and (split != "train" or "val" in own):
        return _pairs(own[split], layout)
    if split == "test" or "train" not in own:
        found = f"{root} has {', '.join(f'{name}/' for name in own)} but no {split}/"
        raise UserError(f"{found}, expected a folder of that name; add it or use another split")
    return _draw(_pairs(own["train"], layout), split, seed, root, splits=("val", "train"))


def _draw(
    pairs: tuple[Pair, ...],
    split: str,
    seed: int,
    root: Path,
    splits: tuple[str, ...] = ("test", "val", "train"),
) -> tuple[Pair, ...]:
    """Draw a split by name and seed; an added image moves few other images to another split."""
    if len(pairs) <= FEW and split in ("train", "val"):
        return _strips(pairs, split, root)
    named = {pair.name: pair for pair in pairs}
    order = [named[name] for name in shuffled(named, seed)]
    drawn: dict[str, list[Pair]] = {"train": order}
    for name in splits[-2::-1]:  # validation before testing, should there be too few for both
        count = max(1, round(SHARE * len(pairs))) if len(drawn["train"]) > 1 else 0
        drawn[name], drawn["train"] = drawn["train"][:count], drawn["train"][count:]
    if not drawn[split]:
        raise UserError(
            f"{root}: got {len(pairs)} images, too few for a {split} split, expected at least {len(splits)}; "
            f"add images, or a folder {split}/ with its own"
        )
    return tuple(sorted(drawn[split], key=lambda pair: natural(pair.name)))


def _strips(pairs: tuple[Pair, ...], split: str, root: Path) -> tuple[Pair, ...]:
    """Take a part of each pair; say so once, where the user might take the scores for those of other images."""
    if split == "val":
        count = "1 image" if len(pairs) == 1 else f"{len(pairs)} images"
        notice = Notice(f"{root} has {count}: validating on a strip of each, which training does not see")
        warnings.warn(notice, stacklevel=5)
    return tuple(pair._replace(part=split) for pair in pairs)


def _pairs(root: Path, layout: Layout) -> tuple[Pair, ...]:
    """Match images and labels by name; see ``folder``."""
    found = find_single(root)
    for name, image in found.images.items():
        if name not in found.labels and (key := own_label_key(image, layout.label_key)):
            found.labels[name] = LabelImage(Path(f"{image}:{key}"))
    images, labels, place = with_coco(root, found)
    if not images and not labels:
        expected = f"images/ and masks/ with {', '.join(READERS)}"
        raise UserError(f"no image in {place}, expected {expected}; check the path")
    orphans = [labels[name].path for name in labels if name not in images]
    bare = [images[name] for name in images if name not in labels] if layout.labelled else []
    for files, what, other in (
        (orphans, "label(s) without an image", "an image"),
        (bare, "image(s) without labels", "labels"),
    ):
        if files:
            raise UserError(
                f"got {len(files)} {what}: {some(files)}, expected {other} of the same name below {root}; "
                "add or rename them, or move these to another folder"
            )
    return tuple(
        Pair(name, with_key(images[name], layout.image_key), _keyed_labels(labels.get(name), layout.label_key))
        for name in sorted(images, key=natural)
    )


def _keyed_labels(source: LabelSource | None, key: str | None) -> LabelSource | None:
    """Add the key to the path of a label image that takes one and has none yet."""
    return LabelImage(with_key(source.path, key)) if isinstance(source, LabelImage) else source


@dataclass(frozen=True)
class Reader:
    """Reads one pair: image ``(C, *space)``, labels ``(*space)``."""

    layout: Layout

    def __call__(self, pair: Pair) -> Sample:
        """Raises ``UserError`` where a file cannot be read, and where the two do not belong together."""
        return _read(self.layout, pair)


def _read(layout: Layout, pair: Pair) -> Sample:
    """See `Reader`."""
    array = read_image(pair.image)
    plane = partial(to_channels_first, array, 2, layout.channels, str(pair.image))
    labels = None if pair.labels is None else _labels(layout, pair.labels, array, lambda: plane().shape[1:])
    ndim = layout.ndim or (spatial_axes(array) if labels is None else labels.ndim)
    space = None if labels is None else labels.shape
    image = to_channels_first(array, ndim, layout.channels, str(pair.image), space)
    if pair.labels is not None and labels is not None and labels.shape != image.shape[1:]:
        raise unlike(pair, image.shape[1:], labels.shape)
    size = read_voxel_size(pair.image)
    sample = Sample(image, labels, pair.name, size if size and len(size) == ndim else None)
    return sample if pair.part is None else strip(sample, pair.part)


def unlike(pair: Pair, image: Space, labels: Space) -> UserError:
    """Return the error for an image and labels of different sizes."""
    path = pair.labels.path if pair.labels else None
    return UserError(
        f"{pair.image} and {path}: got shapes {image} and {labels}, expected the same; check that both belong together"
    )


def _labels(layout: Layout, source: LabelSource, image: np.ndarray, size: Callable[[], Space]) -> np.ndarray:
    """Read the labels of an image, which has its stored shape and a plane of ``size``.

    Raises ``UserError`` for labels of three axes where the image has one plane. One whose stored shape has three axes,
    few of them in the first, is a volume if its labels have that shape.
    """
    labels = source.read(size)
    plane = labels.ndim == 3 and layout.ndim != 3 and spatial_axes(image) == 2
    try:
        if plane and layout.masks != PLANES and (labels.shape != image.shape or labels.shape[:-1] == size()):
            check_plane(labels, size())
        return MASKS[layout.masks](labels)
    except UserError as error:
        raise UserError(f"{source.path}: {error}") from error
