"""Images without labels, from files, folders and globs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from segraft.data.samples import LazySamples
from segraft.errors import UserError
from segraft.images.channels import check_count, grey, model_layout
from segraft.images.listing import list_images
from segraft.images.names import IMAGE_ENDING, image_stem, is_label_name, pair_name
from segraft.images.reading import read_image, with_key
from segraft.images.voxel_size import read_voxel_size
from segraft.types import Sample, Space


@dataclass(frozen=True)
class Wanted:
    """What images must be like: those with labels, beside which they are seen.

    ``count`` channels, of which ``channels`` may name which, as many axes as ``least`` has sizes, and as many pixels.
    ``key`` names the array of an h5 or zarr, or the image of a tif of several.
    """

    count: int
    least: Space
    channels: Sequence[int] | None = None
    key: str | None = None


def unlabelled_images(inputs: Iterable[str | Path], wanted: Wanted) -> LazySamples:
    """Open the images that files, folders and globs name, in natural order, named as in a ``folder`` of images.

    Files that have the name of a label image (``x_masks.tif``) are left out. Reading a sample raises ``UserError`` for
    an image that is not as ``wanted``. Raises ``UserError`` where there is none.
    """
    listed = list_images(inputs)
    files = tuple(path for path in listed if not is_label_name(image_stem(path)))
    if not files:
        raise UserError(
            f"unlabelled: got {len(listed)} files named as label images are, {listed[0]} for example, expected images; "
            "name a folder that holds some"
        )
    return LazySamples(files, partial(_read, wanted))


def _read(wanted: Wanted, path: Path) -> Sample:
    """Read one image ``(C, *space)`` in its stored type."""
    ndim, name = len(wanted.least), str(path)
    array = read_image(with_key(path, wanted.key))
    image = model_layout(array.shape, ndim, wanted.count, wanted.channels, name)(array)
    if wanted.count == 1 and wanted.channels is None:
        image = grey(image)
    check_count(image, array.shape, wanted.count, name)
    if any(size < least for size, least in zip(image.shape[1:], wanted.least, strict=True)):
        sizes, least = (" × ".join(map(str, each)) for each in (image.shape[1:], wanted.least))
        raise UserError(
            f"{name}: got {sizes} pixels, expected {least} or more, as patches have; lower --patch or omit it"
        )
    size = read_voxel_size(path)
    own = pair_name(image_stem(path), IMAGE_ENDING)
    return Sample(image, None, own, size if size and len(size) == ndim else None)
