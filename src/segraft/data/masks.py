"""What a user says of masks that do not number their objects."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from segraft.data import options_of
from segraft.errors import UserError
from segraft.labels.masks import Masks

OPTION = "masks"
"""Name of the readers' option."""


def untold(masks: Masks, dataset: str, options: Mapping[str, Any] | None) -> bool:
    """Whether one number may stand for several objects, the reader could be told what an object is, and was not."""
    return masks.doubtful and OPTION in options_of(dataset) and (options or {}).get(OPTION) is None


def check_told(masks: Masks, dataset: str, options: Mapping[str, Any] | None) -> None:
    """Raise ``UserError`` for masks of a data set that are `untold`."""
    if untold(masks, dataset, options):
        raise UserError(
            f"masks: got {masks}, expected one number per object; say --options.{OPTION} components (each connected "
            f"piece of one number is an object) or --options.{OPTION} objects (take them as they are)"
        )


def note_doubtful(truths: Masks, dataset: str | None, options: Mapping[str, Any] | None) -> None:
    """Say on stderr where a number of the truth may stand for several objects, which spoils the scores of objects."""
    if untold(truths, dataset or "folder", options):
        print(
            f"note: the truth has {truths}: what has one number in an image counts as one object; where it is several, "
            f"score with --dataset folder --root DIR --options.{OPTION} components, or label them first",
            file=sys.stderr,
        )
