"""Patches with labels and patches without in one sequence."""

from __future__ import annotations

import copy
import hashlib
from fractions import Fraction

from torch import Tensor
from torch.utils.data import Dataset

from segraft.training.patches import Patches

FINEST = 10**6
"""Parts are told apart to a millionth, so that 0.1 is a tenth to the end of a training."""


class Mixture(Dataset[tuple[Tensor, ...]]):
    """Two endless sequences of patches in one, the second of which has a fixed part of it.

    ``mixture[k]``, for any integer k >= 0, depends on nothing but k and what the two give. Of the first n patches,
    whatever n, ``floor(part · n)`` are of the second: they are spread evenly, over batches and ranks too, and each
    sequence is gone through without a gap.

    Parameters
    ----------
    labelled, unlabelled : patches of the same shape and channels
    part : of the second, from 0 to below 1
    """

    def __init__(self, labelled: Patches, unlabelled: Patches, part: float) -> None:
        self.labelled, self.unlabelled = labelled, unlabelled
        self.part = Fraction(part).limit_denominator(FINEST)
        self.patch, self.taught = labelled.patch, labelled.taught
        self.pixel_sizes = labelled.pixel_sizes | unlabelled.pixel_sizes

    def _before(self, k: int) -> int:
        """How many of the first k patches are of the second sequence."""
        return k * self.part.numerator // self.part.denominator

    def __getitem__(self, k: int) -> tuple[Tensor, ...]:
        k = int(k)
        before = self._before(k)
        return self.unlabelled[before] if self._before(k + 1) > before else self.labelled[k - before]

    def drawn_by(self, seed: int) -> Mixture:
        """The same images in the sequence of another seed; they are not copied."""
        other = copy.copy(self)
        other.labelled, other.unlabelled = (each.drawn_by(seed) for each in (self.labelled, self.unlabelled))
        return other

    def fingerprint(self) -> str:
        """A hash of all that patch k depends on beside k."""
        each = (str(self.part), self.labelled.fingerprint(), self.unlabelled.fingerprint())
        return hashlib.sha256("\n".join(each).encode()).hexdigest()
