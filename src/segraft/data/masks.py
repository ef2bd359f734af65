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
    """Whether masks of a data set are binary, its reader could be told what an object is, and was not."""
    return masks.binary and OPTION in options_of(dataset) and (options or {}).get(OPTION) is None


def check_told(masks: Masks, dataset: str, options: Mapping[str, Any] | None) -> None:
    """Raise ``UserError`` for masks of a data set that are `untold`."""
    if untold(masks, dataset, options):
        raise UserError(
            f"masks: got {masks}, expected one number per object; say --options.{OPTION} components (each connected "
            f"piece is an object) or --options.{OPTION} objects (take them as they are)"
        )


def note_binary(truths: Masks, dataset: str | None, options: Mapping[str, Any] | None) -> None:
    """Say on stderr where true masks are binary, so that scores of objects mean little, unless the user said so."""
    if untold(truths, dataset or "folder", options):
        print(
            f"note: the truth has {truths}: all objects of an image count as one; where they are several, "
            f"score with --dataset folder --root DIR --options.{OPTION} components, or label them first",
            file=sys.stderr,
        )
