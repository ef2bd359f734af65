"""BBBC039: nuclei of U2OS cells in fluorescence (Caicedo et al., Cytometry A 2019), 200 images of 520×696."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from segraft.data.samples import SPLITS, LazySamples, existing_folder, shuffled
from segraft.errors import UserError, choose
from segraft.images.reading import read_image
from segraft.labels.relabel import components
from segraft.types import Sample


def bbbc039(root: str | Path | None, split: str, *, labelled: int | None = None, seed: int = 0) -> LazySamples:
    """Open the official split of the unpacked archive: ``images/*.tif``, ``masks/*.png``, ``metadata/*.txt``.

    Images are ``(1, y, x)`` uint16 as stored, labels ``(y, x)`` int32. Of the images for training only so many are
    there as are ``labelled``, drawn by ``seed``: those of a smaller number are among those of a larger one.
    Raises ``UserError`` when folders, lists or files are missing, or fewer images are there than are to be labelled.
    """
    root = existing_folder(root, "BBBC039's images/, masks/ and metadata/")
    names = root / "metadata" / f"{choose('split', split, SPLITS)}.txt"
    missing = [str(path) for path in (root / "images", root / "masks", names) if not path.exists()]
    if missing:
        raise UserError(
            f"{', '.join(missing)} not found, expected BBBC039's images/, masks/ and metadata/ in {root}; "
            "unpack images.zip, masks.zip and metadata.zip there (bbbc.broadinstitute.org/BBBC039)"
        )
    stems = tuple(Path(line.strip()).stem for line in names.read_text().splitlines() if line.strip())
    files = [path for stem in stems for path in _files(root, stem)]
    missing = [str(path) for path in files if not path.exists()]
    if missing or not stems:
        what = f"{', '.join(missing[:3])} ({len(missing)} of {len(files)} files)" if stems else "any name"
        raise UserError(f"{names}: {what} not found, expected all that it lists; unpack the archives again")
    if labelled is not None and split == "train":
        stems = _drawn(stems, labelled, seed)
    return LazySamples(stems, partial(_read, root))


def image_files(root: Path, samples: LazySamples) -> tuple[Path, ...]:
    """Return the image files of samples of this data set, in their order."""
    return tuple(_files(root, stem)[0] for stem in samples.items)


def _drawn(stems: tuple[str, ...], count: int, seed: int) -> tuple[str, ...]:
    """Draw so many of the stems, in their order."""
    if not 1 <= count <= len(stems):
        raise UserError(f"labelled: got {count}, expected 1 to {len(stems)}, the images for training; give another")
    chosen = set(shuffled(stems, seed)[:count])
    return tuple(stem for stem in stems if stem in chosen)


def _files(root: Path, stem: str) -> tuple[Path, Path]:
    """Return the image file and the mask file of one field."""
    return root / "images" / f"{stem}.tif", root / "masks" / f"{stem}.png"


def _read(root: Path, stem: str) -> Sample:
    """Read one field: image ``(1, y, x)``, labels ``(y, x)``."""
    image_file, mask_file = _files(root, stem)
    image, mask = read_image(image_file), read_image(mask_file)
    if image.ndim != 2 or mask.shape[:2] != image.shape:
        raise UserError(
            f"{image_file} and {mask_file}: got shapes {image.shape} and {mask.shape}, expected the same (y, x); "
            "unpack the archives again"
        )
    return Sample(image[None], instances(mask), stem)


def instances(mask: np.ndarray) -> np.ndarray:
    """Label the 8-connected components of equal red value of a mask ``(y, x, 4)``, whose colours are not ids; int32."""
    return components(mask[..., 0] if mask.ndim == 3 else mask)
