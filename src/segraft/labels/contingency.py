"""The sparse contingency table of two label images: their overlaps, from which all scores are computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segraft.errors import UserError
from segraft.labels.check import UNKNOWN, check_labels
from segraft.labels.relabel import id_table


@dataclass(frozen=True)
class Contingency:
    """Overlaps of two label images: arrays ``(pairs,)``, one entry per pair of segments that share a pixel.

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
        """Return the table of some pairs only, ``chosen`` boolean ``(pairs,)``, with the sizes that remain."""
        return _with_sizes(self.predicted_ids[chosen], self.truth_ids[chosen], self.counts[chosen])


def contingency(predicted: np.ndarray, truth: np.ndarray) -> Contingency:
    """Count the overlaps of two label images ``(*space)``, in the order of true, then predicted ids.

    Pixels whose true label is unknown (−1) are left out; a predicted −1 counts as background. For speed, runs of equal
    pairs along the last axis are counted, not single pixels. Raises ``UserError`` when shapes differ, and as
    ``check_labels``.
    """
    predicted, truth = check_labels(predicted, "predicted labels"), check_labels(truth, "true labels")
    check_shapes(predicted.shape, truth.shape)
    guess, true, lengths = _runs(predicted.ravel(), truth.ravel())
    if np.issubdtype(truth.dtype, np.signedinteger):
        known = true != UNKNOWN
        guess, true, lengths = guess[known], true[known], lengths[known]
    if np.issubdtype(predicted.dtype, np.signedinteger):
        guess = np.maximum(guess, 0)
    return _of_pairs(guess, true, lengths)


def check_shapes(predicted: tuple[int, ...], truth: tuple[int, ...]) -> None:
    """Raise ``UserError`` where two label images differ in shape."""
    if predicted != truth:
        raise UserError(
            f"predicted labels: got shape {predicted}, expected that of the true labels, {truth}; "
            "check that both belong to the same image"
        )


def together(tables: Sequence[Contingency]) -> Contingency:
    """The table of an image from those of its parts, at least one: exactly that of the whole, in its order."""
    names = ("predicted_ids", "truth_ids", "counts")
    return _of_pairs(*(np.concatenate([getattr(table, name) for table in tables]) for name in names))


def without_small(table: Contingency, minimum: int) -> Contingency:
    """The table where true objects of fewer than ``minimum`` pixels are background."""
    small = (table.truth_ids > 0) & (table.truth_sizes < minimum)
    return _of_pairs(
        table.predicted_ids, np.where(small, np.zeros_like(table.truth_ids), table.truth_ids), table.counts
    )


def _of_pairs(guess: np.ndarray, true: np.ndarray, pixels: np.ndarray) -> Contingency:
    """The table of pairs of ids ``(n,)``, which may come several times, with so many pixels each."""
    guess_ids, guess_rows, _ = id_table(guess)
    true_ids, true_rows, _ = id_table(true)
    pairs, rows, _ = id_table(true_rows * len(guess_ids) + guess_rows)
    counts = np.bincount(rows, weights=pixels, minlength=len(pairs))
    true_rows, guess_rows = np.divmod(pairs, max(1, len(guess_ids)))
    return _with_sizes(guess_ids[guess_rows], true_ids[true_rows], counts)


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
