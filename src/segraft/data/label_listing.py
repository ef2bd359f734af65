"""List the labels that files, folders and globs name, of every kind."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from segraft.data.pairs import by_name, coco_labels, find, find_single, labels_by_name
from segraft.data.samples import existing_folder
from segraft.errors import UserError
from segraft.files import natural
from segraft.images.channels import to_channels_first
from segraft.images.label_sources import (
    COCO,
    LabelImage,
    LabelSource,
    MaskFolder,
    OutlineFile,
    coco_file,
    is_outline_file,
    single_sources,
)
from segraft.images.names import IMAGE_ENDING
from segraft.images.reading import is_image, read_image, split_key
from segraft.images.stacks import plane_axes
from segraft.images.voxel_size import read_voxel_size
from segraft.types import Space


@dataclass(frozen=True)
class Labelled:
    """The labels of one image: the image's name, where they are, and the image, None where it is not known."""

    name: str
    labels: LabelSource
    image: Path | None

    def size(self) -> Space:
        """Return the size (y, x) of the image. Raises ``UserError`` where none is known, and as ``read_image``."""
        if self.image is None:
            raise UserError(
                f"{self.labels.path}: got no image {self.name!r} beside it, expected one, to know its size; "
                "name the folder of images (--images)"
            )
        return to_channels_first(read_image(self.image), 2, name=str(self.image)).shape[1:]

    def voxel_size(self) -> tuple[float, ...] | None:
        """Return the size of a voxel in nm, as the labels or else the image state it, None where neither does."""
        stated = (read_voxel_size(path) for path in (self.labels.path, self.image) if path)
        return next((size for size in stated if size), None)

    def axes(self, ndim: int) -> str:
        """Return the letters of the axes before (y, x) of labels of ``ndim`` axes, ``?`` where nothing names them."""
        letters = plane_axes(self.labels.path)[-(ndim - 2) :] if ndim > 2 else ""
        if ndim == 3 and letters in ("", "?"):
            return "Z" if len(self.voxel_size() or ()) == 3 else "?"
        return letters


def list_labels(inputs: Iterable[str | Path], images: str | Path | None = None) -> list[Labelled]:
    """Return the labels that files, folders and globs name, in natural order; ``images`` is the folder of their images.

    A folder of labels holds label images, outlines, folders of masks, or images and labels as the data set ``folder``
    has them; so may that of images. A json is a COCO file. Raises ``UserError`` for a path that does not exist, and for
    a folder without labels or without images.
    """
    known = {} if images is None else find_single(existing_folder(images, "the images of the labels")).images
    if images is not None and not known:
        raise UserError(f"no image in {images}, expected those of the labels; check the path")
    found = [entry for item in inputs for entry in _expand(item, known)]
    if not found:
        raise UserError("got no input, expected files, folders or globs of labels; name at least one")
    found = _with_images_beside(found)
    return sorted(found, key=lambda entry: natural(entry.labels.path / entry.name))


def _expand(item: str | Path, images: Mapping[str, Path]) -> list[Labelled]:
    """Return the labels of one input."""
    file, _ = split_key(item)
    if file.is_dir() and not is_image(file):
        return _in_folder(file, images)
    if file.exists():
        return _named(_in_file(Path(item)), images)
    if matches := glob.glob(str(item), recursive=True):
        return [entry for match in sorted(matches, key=natural) for entry in _expand(match, images)]
    raise UserError(f"{file} does not exist, expected labels, a folder or a glob; check the path")


def _in_file(path: Path) -> dict[str, LabelSource]:
    """Return the labels in one file by the name of their image."""
    if path.suffix.lower() == COCO:
        return coco_labels(path)
    return labels_by_name([OutlineFile(path) if is_outline_file(path) else LabelImage(path)])


def _in_folder(folder: Path, images: Mapping[str, Path]) -> list[Labelled]:
    """Return the labels in a folder: pairs of images and labels, or labels alone."""
    found = find(folder) if (folder / "images").is_dir() else find_single(folder)
    if found.labels:
        return _named(found.labels, {**images, **found.images})
    if not found.images or found.place == folder:
        if sources := labels_by_name(single_sources(folder)):
            return _named(sources, images)
        if file := coco_file(folder):
            return _named(coco_labels(file), images)
    raise UserError(
        f"no labels in {folder}, expected label images, outlines, folders of masks or a COCO file; check the path"
    )


def _named(labels: Mapping[str, LabelSource], images: Mapping[str, Path]) -> list[Labelled]:
    return [Labelled(name, source, images.get(name)) for name, source in labels.items()]


def _with_images_beside(found: Sequence[Labelled]) -> list[Labelled]:
    """Add images to outlines and masks that have none yet: from the same folder, or from ``images/`` beside it."""
    bare = [entry.image is None and isinstance(entry.labels, OutlineFile | MaskFolder) for entry in found]
    folders = {entry.labels.path.parent for entry, lacks in zip(found, bare, strict=True) if lacks}
    beside = {folder: _images_in(folder.parent / "images") | _images_in(folder) for folder in folders}
    return [
        replace(entry, image=beside[entry.labels.path.parent].get(entry.name)) if lacks else entry
        for entry, lacks in zip(found, bare, strict=True)
    ]


def _images_in(folder: Path) -> dict[str, Path]:
    """Return the images in a folder by name."""
    files = folder.iterdir() if folder.is_dir() else ()
    return by_name([path for path in files if is_image(path)], IMAGE_ENDING)
