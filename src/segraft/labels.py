"""Label images: what counts as one, how it is renumbered and cleaned, and how two of them overlap.

A label image ``(*space)`` holds one integer per pixel: 0 background, −1 unknown, everything else an instance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from segraft.errors import UserError

UNKNOWN = -1
"""Label of pixels whose truth is not known; no score and no supervised loss counts them."""
SPARSE = 4
"""Ids above this many times the number of pixels are looked up by sorting, not in a table of all ids."""


def check_labels(array: np.ndarray, name: str = "labels") -> np.ndarray:
    """Return ``array`` as a 2-D or 3-D array of integers, or say what it is instead.

    Booleans become 0 and 1; integers of any width keep their type. Raises ``UserError`` for colours, floats,
    negative labels other than −1, empty arrays and other dimensions. ``name`` names the array in the message.
    """
    array = np.asarray(array)
    shape = "×".join(map(str, array.shape))
    if array.ndim == 3 and array.dtype == np.uint8 and array.shape[-1] in (3, 4) and min(array.shape[:2]) > 4:
        raise UserError(
            f"{name}: came as a colour picture ({shape}); wanted one integer per pixel; "
            "save a label image, or for the raw masks of BBBC039 use --dataset bbbc039 --root DIR"
        )
    if array.ndim not in (2, 3) or not array.size:
        wanted = "wanted (y, x) or (z, y, x) with at least one pixel; pick or squeeze the axes"
        raise UserError(f"{name}: came with shape ({shape}); {wanted}")
    if array.dtype == bool:
        return array.astype(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise UserError(
            f"{name}: came as {array.dtype}; wanted integers, 0 background and one number per instance; "
            "convert them (array.astype('int32')) if they are whole numbers, else label the instances first"
        )
    if np.issubdtype(array.dtype, np.signedinteger) and (lowest := int(array.min())) < UNKNOWN:
        raise UserError(
            f"{name}: came with the label {lowest}; wanted 0 for background, −1 for unknown and "
            "positive instances; renumber the negative labels"
        )
    return array


def id_dtype(largest: int) -> type[np.unsignedinteger]:
    """Type of a label image whose ids go up to ``largest``: ``uint32``, or ``uint64`` beyond its range."""
    return np.uint32 if largest <= np.iinfo(np.uint32).max else np.uint64


def consecutive(labels: np.ndarray) -> np.ndarray:
    """Renumber instances to 1..n in the order of their ids, as ``uint32`` (``uint64`` beyond 2³²).

    Background stays 0. Unknown pixels (−1) become background, for the result has no sign.
    """
    ids, rows, _ = _table(labels)
    instance = ids > 0
    numbers = np.cumsum(instance) * instance
    return numbers.astype(id_dtype(int(instance.sum())))[rows]


def remove_small(labels: np.ndarray, minimum: int) -> np.ndarray:
    """Turn instances of fewer than ``minimum`` pixels into background; the others and the type stay."""
    ids, rows, sizes = _table(labels)
    return np.where((ids > 0) & (sizes < minimum), np.zeros_like(ids), ids)[rows]


def widen_borders(labels: np.ndarray, width: int) -> np.ndarray:
    """Make true labels of electron microscopy say where membranes are; ids stay, the type becomes signed.

    Where nothing was drawn (0) the truth is unknown: −1, as it is where −1 came. A pixel of an object is membrane, 0,
    where another object has a pixel at most ``width`` away, in Chebyshev distance (a square of ``2 · width + 1``
    pixels about it) within the ``(y, x)`` plane: of a volume each section counts alone. Objects can only shrink.
    Raises ``UserError`` for a negative width, for ids beyond 2⁶³ − 1, or as ``check_labels``.
    """
    labels = check_labels(labels)
    if width < 0:
        raise UserError(f"border width came as {width}; wanted 0 or more pixels")
    result = labels.astype(_signed(labels), order="C")
    for plane in result.reshape(-1, *labels.shape[-2:]):
        numbers = consecutive(plane)  # ids of any size would not survive the filters, which compute in float64
        empty = numbers == 0
        size = 2 * width + 1
        highest = maximum_filter(numbers, size, mode="nearest")
        lowest = minimum_filter(np.where(empty, numbers.max(), numbers), size, mode="nearest")
        plane[lowest != highest] = 0
        plane[empty] = UNKNOWN
    return result


def _signed(labels: np.ndarray) -> np.dtype:
    """Narrowest signed type for all ids of the type of ``labels``; uint64 is taken where its ids leave it room."""
    if labels.dtype.itemsize < 8:
        return np.promote_types(labels.dtype, np.int8)
    if int(labels.max()) > np.iinfo(np.int64).max:
        raise UserError(f"labels go up to {labels.max()}; wanted ids up to 2⁶³ − 1; renumber them")
    return np.dtype(np.int64)


def _table(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct ids ascending, each pixel's row among them (shaped as ``labels``), and each id's pixels."""
    lowest, largest = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if largest - lowest > SPARSE * labels.size or largest > np.iinfo(np.intp).max:
        ids, rows, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        return ids, rows.reshape(labels.shape), sizes
    rows = labels.astype(np.intp)
    rows -= lowest
    sizes = np.bincount(rows.ravel())
    present = sizes > 0
    ids = (np.flatnonzero(present) + lowest).astype(labels.dtype)
    return ids, (np.cumsum(present) - 1)[rows], sizes[present]


@dataclass(frozen=True)
class Contingency:
    """How two label images overlap: all arrays ``(pairs,)``, one entry per pair of segments that share a pixel.

    Background (0) is a segment like the others. Sizes repeat a segment's size in each of its pairs, so that most
    scores are one sum over pairs: for example ``Σ counts · truth_sizes`` is the sum of squared true sizes.
    """

    predicted_ids: np.ndarray
    truth_ids: np.ndarray
    counts: np.ndarray
    """Pixels shared by the two segments of the pair; float64, exact up to 2⁵³."""
    predicted_sizes: np.ndarray
    """Pixels of the pair's predicted segment, where the truth is known."""
    truth_sizes: np.ndarray
    """Pixels of the pair's true segment."""

    @property
    def pixels(self) -> int:
        """Number of pixels counted."""
        return int(self.counts.sum())

    def where(self, chosen: np.ndarray) -> Contingency:
        """Return the table of the pixels of some pairs only, ``chosen`` boolean ``(pairs,)``; sizes shrink."""
        return _with_sizes(self.predicted_ids[chosen], self.truth_ids[chosen], self.counts[chosen])


def contingency(predicted: np.ndarray, truth: np.ndarray) -> Contingency:
    """Count the overlaps of two label images of the same shape, in the order of true, then predicted ids.

    Pixels whose truth is unknown (−1) are left out; a predicted −1 is no object, like 0. Counts runs of equal
    pairs along the last axis in place of pixels. Raises ``UserError`` when shapes differ, or as ``check_labels``.
    """
    predicted, truth = check_labels(predicted, "predicted labels"), check_labels(truth, "true labels")
    if predicted.shape != truth.shape:
        raise UserError(
            f"predicted labels came with shape {predicted.shape}, true labels with {truth.shape}; "
            "wanted the same shape; check that both belong to the same image"
        )
    seen, real, lengths = _runs(predicted.ravel(), truth.ravel())
    if np.issubdtype(truth.dtype, np.signedinteger):
        known = real != UNKNOWN
        seen, real, lengths = seen[known], real[known], lengths[known]
    if np.issubdtype(predicted.dtype, np.signedinteger):
        seen = np.maximum(seen, 0)
    seen_ids, seen_rows, _ = _table(seen)
    real_ids, real_rows, _ = _table(real)
    pairs, rows, _ = _table(real_rows * len(seen_ids) + seen_rows)
    counts = np.bincount(rows, weights=lengths, minlength=len(pairs))
    real_rows, seen_rows = np.divmod(pairs, max(1, len(seen_ids)))
    return _with_sizes(seen_ids[seen_rows], real_ids[real_rows], counts)


def _runs(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both labels of every run of equal pixels in two flat label images, and the runs' lengths."""
    changes = (predicted[1:] != predicted[:-1]) | (truth[1:] != truth[:-1])
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    return predicted[starts], truth[starts], np.diff(starts, append=len(truth))


def _with_sizes(predicted_ids: np.ndarray, truth_ids: np.ndarray, counts: np.ndarray) -> Contingency:
    """Complete a table of distinct pairs with the sizes of their segments."""
    sizes = []
    for ids in (predicted_ids, truth_ids):
        present, rows = np.unique(ids, return_inverse=True)
        sizes.append(np.bincount(rows, weights=counts, minlength=len(present))[rows])
    return Contingency(predicted_ids, truth_ids, counts, *sizes)
