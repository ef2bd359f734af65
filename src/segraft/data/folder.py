"""The user's own images and label images in a folder."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from segraft.data.samples import SPLITS, LazySamples, existing_folder, shuffled
from segraft.data.strips import FEW, strip
from segraft.errors import Notice, UserError, choose
from segraft.files import natural
from segraft.images.channels import spatial_axes, to_channels_first
from segraft.images.formats import CONTAINERS, READERS
from segraft.images.names import IMAGE_ENDING, LABEL_ENDING, image_stem, is_label_name, pair_name
from segraft.images.reading import is_image, own_label_key, read_image, read_labels
from segraft.images.voxel_size import read_voxel_size
from segraft.types import Sample

LABEL_FOLDERS = ("masks", "labels")
SHARE = 0.15
"""Fraction of the images for validation, and for testing, of a folder without splits of its own."""


class Pair(NamedTuple):
    """An image file and its label file, each perhaps with a key; None without labels.

    ``part`` is the split of which only a strip is taken, None for the whole image.
    """

    name: str
    image: Path
    labels: Path | None
    part: str | None = None


@dataclass(frozen=True)
class Layout:
    """The options of ``folder`` that concern its files."""

    ndim: int | None
    channels: tuple[int, ...] | None
    labelled: bool
    image_key: str | None
    label_key: str | None


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
) -> LazySamples:
    """Open ``images/`` with ``masks/`` or ``labels/``, or ``x.tif`` beside ``x_masks.tif``; tif, png, h5, zarr.

    Images are ``(C, *space)``, labels ``(*space)``, in their stored types. Pairs have the same name up to endings such
    as ``_masks`` or ``_img``; an h5 or zarr that holds both needs no partner. Splits are the subfolders
    ``train/ val/ test/``, each laid out like that (without ``val/``, part of ``train/``), else 70, 15 and 15 % drawn
    by name and ``seed``; one or two images are each cut in two by ``strip``, and a ``Notice`` says so. ``ndim`` (2 or
    3) is by default that of the labels; ``channels`` are indices into the channel axis; with ``labelled=False`` images
    may lack labels; ``image_key`` and ``label_key`` name arrays of h5 and zarr.
    Raises ``UserError`` for missing or empty folders and for images and labels that do not match.
    """
    choose("split", split, SPLITS)
    if ndim not in (None, 2, 3):
        raise UserError(f"ndim: got {ndim}, expected 2 for images or 3 for volumes; omit it to use that of the labels")
    root = existing_folder(root, "images/ and masks/")
    layout = Layout(ndim, None if channels is None else tuple(channels), labelled, image_key, label_key)
    return LazySamples(_split(root, split, seed, layout), partial(_read, layout))


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
    images, labels = _find(root)
    for name, image in images.items():
        if name not in labels and (key := own_label_key(image, layout.label_key)):
            labels[name] = Path(f"{image}:{key}")
    orphans = [labels[name] for name in labels if name not in images]
    bare = [images[name] for name in images if name not in labels] if layout.labelled else []
    for files, what, other in (
        (orphans, "label image(s) without an image", "an image"),
        (bare, "image(s) without labels", "labels"),
    ):
        if files:
            raise UserError(
                f"got {len(files)} {what}: {_some(files)}, expected {other} of the same name below {root}; "
                "add or rename them, or move these to another folder"
            )
    return tuple(
        Pair(
            name,
            _keyed(images[name], layout.image_key),
            _keyed(labels[name], layout.label_key) if name in labels else None,
        )
        for name in sorted(images, key=natural)
    )


def _find(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the image files and the label files of a folder, both by name."""
    place = root / "images" if (root / "images").is_dir() else root
    files = [path for path in place.iterdir() if is_image(path)]
    folders = [root / name for name in LABEL_FOLDERS if (root / name).is_dir()]
    if len(folders) > 1:
        raise UserError(f"{root} has both masks/ and labels/, expected one of them; rename the other")
    if folders:
        images = _by_name(files, IMAGE_ENDING)
        labels = _by_name([path for path in folders[0].iterdir() if is_image(path)], LABEL_ENDING, known=images)
    else:
        labels = _by_name([path for path in files if is_label_name(image_stem(path))], LABEL_ENDING)
        images = _by_name([path for path in files if not is_label_name(image_stem(path))], IMAGE_ENDING)
    if not images and not labels:
        expected = f"images/ and masks/ with {', '.join(READERS)}"
        raise UserError(f"no image in {place}, expected {expected}; check the path")
    return images, labels


def _by_name(files: Iterable[Path], ending: re.Pattern[str], known: Iterable[str] = ()) -> dict[str, Path]:
    """Return the files by their name without suffix and endings; a stem among the ``known`` names keeps its endings."""
    named: dict[str, Path] = {}
    for path in sorted(files, key=natural):
        stem = image_stem(path)
        name = stem if stem in known else pair_name(stem, ending)
        if name in named:
            raise UserError(
                f"{named[name]} and {path.name}: got the same name {name!r} twice, expected it once; rename one"
            )
        named[name] = path
    return named


def _some(files: Sequence[Path]) -> str:
    """Return the first three files, and how many more, as text."""
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return ", ".join(str(path) for path in files[:3]) + more


def _keyed(path: Path, key: str | None) -> Path:
    """Add the key to a container's path that has none yet."""
    if key is None or path.suffix.lower() not in CONTAINERS:
        return path
    return Path(f"{path}:{key}")


def _read(layout: Layout, pair: Pair) -> Sample:
    """Read one pair: image ``(C, *space)``, labels ``(*space)``."""
    array = read_image(pair.image)
    labels = None if pair.labels is None else read_labels(pair.labels)
    ndim = layout.ndim or (spatial_axes(array) if labels is None else labels.ndim)
    space = None if labels is None else labels.shape
    image = to_channels_first(array, ndim, layout.channels, str(pair.image), space)
    if labels is not None and labels.shape != image.shape[1:]:
        raise UserError(
            f"{pair.image} and {pair.labels}: got shapes {image.shape[1:]} and {labels.shape}, expected the same; "
            "check that both belong together"
        )
    size = read_voxel_size(pair.image)
    sample = Sample(image, labels, pair.name, size if size and len(size) == ndim else None)
    return sample if pair.part is None else strip(sample, pair.part)
