"""Masks of single objects: merged into one label image, and told from volumes where their image has one plane."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from segraft.errors import UserError
from segraft.labels.relabel import id_dtype


def pile(masks: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Merge ``count`` boolean masks ``(*space)``, at least one, numbered from 1; a later object lies on top."""
    labels: np.ndarray | None = None
    for number, mask in enumerate(masks, 1):
        labels = np.zeros(mask.shape, id_dtype(count)) if labels is None else labels
        labels[mask] = number
    assert labels is not None
    return labels


def pile_planes(stack: np.ndarray) -> np.ndarray:
    """Merge a stack ``(objects, y, x)`` with a mask of one object in each plane into labels ``(y, x)``.

    Raises ``UserError`` for an array of another dimension, and for a plane with several values beside 0.
    """
    if stack.ndim != 3:
        raise UserError(f"got labels of shape {stack.shape}, expected a stack of masks (objects, y, x); omit planes")
    if several := [number for number, plane in enumerate(stack, 1) if not is_mask(plane)]:
        raise UserError(
            f"got a stack of {len(stack)} planes, of which plane {several[0]} has several values beside 0, expected "
            "the mask of one object in each; save a label image, a number for each object"
        )
    return pile((plane != 0 for plane in stack), len(stack))


def is_mask(array: np.ndarray) -> bool:
    """Whether an array holds 0 and at most one other value."""
    inside = array[array != 0]
    return not inside.size or bool((inside == inside[0]).all())


def check_plane(labels: np.ndarray, space: tuple[int, ...]) -> None:
    """Raise ``UserError`` for labels of three axes where their image has one plane, ``space``, (y, x).

    It says what they are: colours, a stack of masks, other planes of the image's size, or a volume.
    """
    if labels.ndim != 3:
        return
    what, remedy = f"a volume {labels.shape}", "check that both belong together"
    if labels.shape[:-1] == space:
        what = f"colours or channels {labels.shape}"
        remedy = "save the label image itself, a number for each object"
    elif labels.shape[1:] == space and all(map(is_mask, labels)):
        what = f"a stack of {len(labels)} masks {labels.shape}"
        remedy = "if each of them is an object, say --options.masks planes (of the data set folder)"
    elif labels.shape[1:] == space:
        what = f"a stack of {len(labels)} planes of labels {labels.shape}"
        remedy = "save the plane that belongs to the image alone"
    raise UserError(f"got {what} for an image of one plane {space}, expected labels of shape {space}; {remedy}")
