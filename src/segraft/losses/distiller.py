"""What a distillation method is made from (``Setup``), what it learns from (``Lesson``), and what it does with both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from segraft.graphs.graph import Graph
from segraft.losses.graph_terms import graph_pair
from segraft.networks.contract import Network
from segraft.tensors import Affinities, Embedding, Labels, Output
from segraft.types import Offsets


@dataclass(frozen=True)
class Setup:
    """All that a training knows before its first step; each method takes and checks what it needs.

    Parameters
    ----------
    student, teacher : networks with the same ``ndim``, ``in_channels`` and ``dim``; no teacher where it is no network
    patch : size of the training images in pixels, ``(y, x)`` or ``(z, y, x)``, which both can take
    offsets : displacements of the affinities in pixels
    batch : images in each step, those of all ranks
    bank_size : K, images that a memory bank holds
    bank_samples : L, remembered images to compare with in each step
    seed : of all that is drawn at random in training
    """

    student: Network
    teacher: Network | None
    patch: tuple[int, ...]
    offsets: Offsets
    batch: int
    bank_size: int = 32
    bank_samples: int = 12
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """All that one training step offers; each method takes what it needs.

    Parameters
    ----------
    student, teacher : outputs of ``network.features`` for the same images; the teacher's without gradient, or, of a
        teacher that gives nothing else, labels ``(B, *space)``
    labels : ``(B, *space)``, 0 background, −1 unknown
    offsets : displacements of the affinities in pixels
    units : ``(B, D, *space)``, the student's unit embeddings, made once and shared by all terms
    affinities : ``(B, N, *space)``, the student's affinities for ``offsets``, made of ``units``
    """

    student: Output
    teacher: Output | Labels
    labels: Labels
    offsets: Offsets
    units: Embedding
    affinities: Affinities

    def output(self) -> Output:
        """The output of a teacher that is a network."""
        assert isinstance(self.teacher, Output)
        return self.teacher

    def graphs(self) -> tuple[Graph, Graph]:
        """The student's graph, of the unit embeddings and affinities at hand, and the teacher's.

        Raises ``UserError`` where shapes do not belong together.
        """
        return graph_pair(self.student, self.output(), self.labels, self.offsets, self.units, self.affinities)


class Distiller(nn.Module):
    """A distillation method: a loss with its own state and, where it has any, its own weights to train.

    ``forward`` of each method is its formula, with the arguments that the formula has.
    """

    compares_stages: ClassVar[bool] = False
    """Whether it learns from the teacher's stages."""
    terms: ClassVar[tuple[str, ...] | None] = None
    """Names of its terms where these are fewer than those that a method has weights for."""

    @classmethod
    def from_setup(cls, setup: Setup) -> Distiller:
        """Make the method for a training; raises ``UserError`` where the method cannot work with it."""
        raise NotImplementedError

    def learn(self, lesson: Lesson) -> dict[str, Tensor]:
        """Unweighted loss terms of one training step, scalars by name."""
        raise NotImplementedError
