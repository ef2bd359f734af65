"""The images without labels that a run learns from: read, and kept apart from those that it is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from segraft.coerce import coerce
from segraft.data.samples import pixels_digest
from segraft.data.unlabelled import Wanted, unlabelled_images
from segraft.errors import UserError
from segraft.settings import DistillSettings, TrainSettings, required
from segraft.terminal.progress import say
from segraft.training.building import Trainee
from segraft.training.opening import rank
from segraft.training.validation import Validation
from segraft.types import Sample, Space


def read_unlabelled(
    settings: TrainSettings, sample: Sample, trainee: Trainee, validation: Validation
) -> tuple[Sample, ...]:
    """Read the images that ``unlabelled`` names, of as many channels as a labelled ``sample``; none where it is None.

    Images that are labelled for training may be among them: they are seen twice. Says how many there are.
    Raises ``UserError`` for an image that does not fit, and for one of the ``validation``, which would choose a
    model by what it has seen.
    """
    if not isinstance(settings, DistillSettings) or settings.unlabelled is None:
        return ()
    sizes = zip(required(settings.patch), trainee.network.geometry.margin, strict=True)
    least = tuple(size - 2 * lost for size, lost in sizes)
    channels = coerce("channels", Sequence[int] | None, settings.options.get("channels"))
    wanted = Wanted(len(sample.image), least, channels, settings.options.get("image_key"))
    opened = unlabelled_images(settings.unlabelled, wanted)
    read = tuple(opened)
    _check_apart(zip(opened.items, read, strict=True), validation.samples)
    if not rank():
        count = "1 image" if len(read) == 1 else f"{len(read)} images"
        say(f"unlabelled: {count} in {settings.unlabelled_part:.0%} of the patches")
    return read


def _check_apart(images: Iterable[tuple[Path, Sample]], validation: Sequence[Sample]) -> None:
    """Refuse images that are validated on, or whose end is: of one or two images, a strip of each validates."""
    known = {pixels_digest(each.image): each.name for each in validation}
    shapes = {each.image.shape[1:] for each in validation}
    for path, sample in images:
        for shape in shapes:
            end = _end(sample.image, shape)
            if end is not None and (name := known.get(pixels_digest(end))) is not None:
                raise UserError(
                    f"unlabelled: got {path}, which is the validation image {name}, or holds it, expected images that "
                    "the model is not judged by; omit it"
                )


def _end(image: np.ndarray, space: Space) -> np.ndarray | None:
    """The last pixels of an image ``(C, *space)``; None where it has fewer."""
    starts = [own - size for own, size in zip(image.shape[1:], space, strict=True)]
    return None if min(starts) < 0 else image[(slice(None), *(slice(start, None) for start in starts))]
