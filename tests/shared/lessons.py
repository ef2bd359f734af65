"""What a training step offers to a distillation method, made from two outputs."""

from __future__ import annotations

from torch import Tensor

from segraft.graphs.affinity import unit_affinities
from segraft.graphs.embedding import unit
from segraft.losses.distiller import Lesson
from segraft.tensors import Output
from segraft.types import Offsets


def lesson(student: Output, teacher: Output, labels: Tensor, offsets: Offsets) -> Lesson:
    """As the training step makes it: the student's unit vectors and affinities once."""
    units = unit(student.embedding)
    return Lesson(student, teacher, labels, offsets, units, unit_affinities(units, offsets))
