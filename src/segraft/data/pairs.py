"""Images and their labels in a folder, matched by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from segraft.errors import UserError
from segraft.files import natural
from segraft.images.label_sources import (
    CocoLabels,
    LabelImage,
    LabelSource,
    MaskFolder,
    OutlineFile,
    coco_file,
    is_outline_file,
    single_sources,
)
from segraft.images.names import IMAGE_ENDING, LABEL_ENDING, OUTLINE_ENDING, image_stem, is_label_name, pair_name
from segraft.images.reading import is_image
from segraft.labels.coco import read_coco

LABEL_FOLDERS = ("masks", "labels")


class Found(NamedTuple):
    """The images and the labels of a folder, both by name, and where images were looked for."""

    images: dict[str, Path]
    labels: dict[str, LabelSource]
    place: Path


def find(root: Path) -> Found:
    """Find images and labels in a folder, as ``find_single`` does, or else as ``with_coco``."""
    return with_coco(root, find_single(root))


def with_coco(root: Path, found: Found) -> Found:
    """Add the labels of a COCO file to images of which none has labels, where there is such a file.

    It is in ``masks/`` or ``labels/``, or beside ``images/`` or the images. Raises ``UserError`` for several json files
    and for json of another kind.
    """
    folders = [root / name for name in LABEL_FOLDERS if (root / name).is_dir()]
    if found.labels or not (file := coco_file(*(folders or (root, found.place)))):
        return found
    return Found(found.images, coco_labels(file, found.images), found.place)


def find_single(root: Path) -> Found:
    """Find images, and labels in a file or folder for each, matched by name; either may be missing.

    They are in ``images/`` and ``masks/`` or ``labels/``, or side by side, or in a folder for each image with
    ``images/`` and ``masks/`` of its own. Raises ``UserError`` for names that are not unique and for folders of which
    it is not clear what they hold.
    """
    place = root / "images" if (root / "images").is_dir() else root
    files = [path for path in place.iterdir() if is_image(path)]
    folders = [root / name for name in LABEL_FOLDERS if (root / name).is_dir()]
    if len(folders) > 1:
        raise UserError(f"{root} has both masks/ and labels/, expected one of them; rename the other")
    if folders:
        images = by_name(files, IMAGE_ENDING)
        return Found(images, labels_by_name(single_sources(folders[0]), images), place)
    if own := [] if files else [path for path in root.iterdir() if (path / "images").is_dir()]:
        return _one_folder_each(own, root)
    images = by_name([path for path in files if not is_label_name(image_stem(path))], IMAGE_ENDING)
    sources: list[LabelSource] = [LabelImage(path) for path in files if is_label_name(image_stem(path))]
    sources += [OutlineFile(path) for path in place.iterdir() if is_outline_file(path)]
    labels = labels_by_name(sources, images)
    return Found(
        images, {name: labels[name] for name in labels if name in images or not _outlined(labels[name])}, place
    )


def _outlined(source: LabelSource) -> bool:
    """Whether labels are outlines; beside images, other files of such names, archives for example, are none."""
    return isinstance(source, OutlineFile)


def _one_folder_each(folders: Sequence[Path], root: Path) -> Found:
    """Find the image of each folder in its ``images/``, and its labels in its ``masks/``: one mask per object."""
    images: dict[str, Path] = {}
    labels: dict[str, LabelSource] = {}
    for folder in folders:
        files = [path for path in (folder / "images").iterdir() if is_image(path)]
        if len(files) != 1:
            raise UserError(
                f"{folder / 'images'}: got {len(files)} images, expected one, with its masks in {folder / 'masks'}; "
                "put each image into a folder of its own, or all into one folder images/"
            )
        images[folder.name] = files[0]
        if (folder / "masks").is_dir():
            labels[folder.name] = MaskFolder(folder / "masks")
    return Found(images, labels, root)


def coco_labels(file: Path, images: Iterable[str] = ()) -> dict[str, LabelSource]:
    """Return the labels in a COCO file by the name of their image, of which those in ``images`` are known.

    Raises ``UserError`` for json of another kind, for a name that is there twice, and for a file of other images.
    """
    named: dict[str, LabelSource] = {}
    entries = read_coco(file)
    for entry in entries.values():
        stem = image_stem(Path(entry.name).name)
        name = stem if stem in images else pair_name(stem, IMAGE_ENDING)
        if name in named:
            raise UserError(f"{file}: got the image name {name!r} twice, expected it once; rename one")
        named[name] = CocoLabels(file, entry)
    if (known := list(images)) and named and not set(named) & set(known):
        listed, there = ", ".join(list(entries)[:2]), ", ".join(known[:2])
        raise UserError(
            f"{file}: got annotations of other images ({listed} …), expected those of {there} …; "
            "give the file that belongs to this folder"
        )
    return named


def labels_by_name(sources: Iterable[LabelSource], images: Iterable[str] = ()) -> dict[str, LabelSource]:
    """Return sources by the name of their image; a stem among the names of ``images`` keeps its endings.

    Outlines beside a label image or masks of the same name are not read: `segraft predict --outlines` writes such.
    """
    found = {source.path: source for source in sources}
    outlines = [path for path, source in found.items() if _outlined(source)]
    named = by_name([path for path in found if path not in outlines], LABEL_ENDING, known=images)
    drawn = by_name(outlines, OUTLINE_ENDING, known=images)
    return {name: found[path] for name, path in (drawn | named).items()}


def by_name(files: Iterable[Path], ending: re.Pattern[str], known: Iterable[str] = ()) -> dict[str, Path]:
    """Return the files by their name without suffix and endings; a stem among the ``known`` names keeps its endings.

    Raises ``UserError`` for two files of one name.
    """
    named: dict[str, Path] = {}
    for path in sorted(files, key=natural):
        stem = path.name if path.is_dir() and not is_image(path) else image_stem(path)
        name = stem if stem in known else pair_name(stem, ending)
        if name in named:
            raise UserError(
                f"{named[name]} and {path.name}: got the same name {name!r} twice, expected it once; rename one"
            )
        named[name] = path
    return named
