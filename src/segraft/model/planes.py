"""Stacks segmented plane by plane by models of single images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np

from segraft.errors import UserError
from segraft.images.stacks import Stack
from segraft.labels.measured_objects import Table, table
from segraft.types import Sample

Segment = Callable[[Sample], tuple[np.ndarray, np.ndarray]]
"""Labels ``(y, x)`` of a sample, and its image ``(C, y, x)`` as the model saw it."""


def segment_planes(
    stack: Stack, segment: Segment, measured: bool, voxel_size: Sequence[float] | None = None
) -> tuple[np.ndarray, Table]:
    """Segment each plane as an image of its own; one plane is in memory at a time, the labels are together.

    Returns labels ``(*axes, y, x)``, numbered from 1 in each plane, and a table of all objects, empty unless
    ``measured``, whose first column is the number of the plane, from 0 in the order of the file; lengths are in
    µm where the ``voxel_size`` of a plane, ``(y, x)`` in nm, is known. Raises ``UserError``
    with the number of the plane that cannot be read or segmented.
    """
    labels = np.empty(0, np.uint32)
    rows = Table([], [])
    with closing(stack.planes()) as planes:
        for number, plane in enumerate(planes):
            try:
                found, image = segment(Sample(plane, None, f"{stack.name} plane {number}"))
            except UserError as error:
                raise UserError(f"plane {number}: {error}") from error
            if not number:
                labels = np.empty((int(np.prod(stack.shape)), *found.shape), found.dtype)
            labels[number] = found
            if measured:
                objects = table(found, image, voxel_size)
                rows.names[:] = ["plane", *objects.names]
                rows.rows.extend({"plane": number, **row} for row in objects.rows)
    return labels.reshape(*stack.shape, *labels.shape[1:]), rows
