"""The affinity term for a teacher that gives labels, and no embedding."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from segraft import ranks
from segraft.graphs.affinity import label_affinities
from segraft.graphs.embedding import at_least_float32
from segraft.losses.distiller import Distiller, Lesson
from segraft.tensors import Affinities, Labels
from segraft.types import Offsets


class LabelAffinity(Distiller):
    """The term within images (Eq. 5) whose teacher's affinities are those of its labels: ``{"intra_affinity": …}``.

    The mean of ``(a^S − â^T)²`` over all offsets and pairs of pixels that the teacher labels, where â is 1 for two
    pixels of one object and else 0; 0 without such pairs. What compares embeddings, instances and stages has nothing to
    compare with.

    Parameters
    ----------
    background : what two background pixels are to each other, as in ``label_affinities``
    """

    terms: ClassVar[tuple[str, ...]] = ("intra_affinity",)

    def __init__(self, background: str) -> None:
        super().__init__()
        self.background = background

    def forward(self, affinities: Affinities, labels: Labels, offsets: Offsets) -> dict[str, Tensor]:
        """Compare the student's affinities ``(B, N, *space)`` with the teacher's labels ``(B, *space)``, −1 unknown."""
        target, valid = label_affinities(labels, offsets, self.background)
        error = (at_least_float32(affinities) - target).square() * valid
        return {"intra_affinity": ranks.share(error.sum(), ranks.summed(valid.sum()))}

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """The same of a training step."""
        assert isinstance(lesson.teacher, Tensor)
        return self(lesson.affinities, lesson.teacher, lesson.offsets)
