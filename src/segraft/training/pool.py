"""A pool of patches on disk with what a teacher makes of them, from which steps draw without asking it again."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.utils.data import Dataset

from segraft.training.entries import Entries
from segraft.training.patches import generator

ORDER = 2
"""Stream of random numbers for the order; those of `Patches` are 0 and 1."""


class Pool(Dataset[tuple[Tensor, ...]]):
    """``size`` entries in an endless order: each once in every pass, shuffled anew by ``(seed, pass)``.

    ``pool[k]``, for any integer k >= 0, is an image ``(C, *patch)`` float32, labels ``(*patch)`` int64, those that a
    teacher gave whole images where it did and, as float16, what the ``parts`` after the first hold of the teacher's
    output. It depends on nothing but the seed and k.

    Parameters
    ----------
    parts : what each entry consists of; the first are the patches themselves
    size : entries to draw from
    seed : of the order
    """

    def __init__(self, parts: Sequence[Entries], size: int, seed: int) -> None:
        self.parts, self.size, self.seed = tuple(parts), size, seed

    def __getitem__(self, k: int) -> tuple[Tensor, ...]:
        turn, place = divmod(int(k), self.size)
        number = int(generator(self.seed, ORDER, turn).permutation(self.size)[place])
        (image, *labels), *taught = (part.read(number) for part in self.parts)
        return image, *(each.long() for each in labels), *(tensor for tensors in taught for tensor in tensors)
