"""The paper's figures: on which data each is drawn, which recipes are its columns, and what the memory bank takes."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass

from segraft.errors import UserError
from segraft.paper import pairs
from segraft.paper.pairs import METHODS, PLAIN, Bench, called

TEACHER, ALONE, GRAPH = "teacher", "alone", "graph"
COLUMNS = {TEACHER: "teacher", ALONE: "alone", **METHODS, GRAPH: "graph (ours)"}
"""Names of models in the order of a figure's columns, and what the columns are called."""
FLOAT = 4
"""Bytes of a number in the memory bank, float32."""


@dataclass(frozen=True)
class Drawing:
    """What a figure shows."""

    title: str
    ndim: int
    datasets: tuple[str, ...]
    """Readers of the data that the paper's figure shows, or that stand in their place; others may be asked for."""
    images: int = 3
    """How many are drawn, by default."""


DRAWINGS: dict[int, Drawing] = {
    2: Drawing("Segmentations of leaves and worms, with splits and merges marked", 2, ("cvppp", "bbbc010")),
    3: Drawing("Segmentations of nuclei, with splits and merges marked", 2, ("bbbc039",)),
    4: Drawing("Neurons in 3-D, with splits and merges marked", 3, ("ac34", "cremi"), images=1),
    5: Drawing("Embeddings by one principal component analysis", 2, ("cvppp", "bbbc010", "bbbc039")),
    6: Drawing(
        "Size of the memory bank K and images drawn from it L, against score and memory", 2, ("cvppp", "bbbc039")
    ),
}
"""The figures by number. Which data the paper's own figures show is our reading: they are images, not text."""


@dataclass(frozen=True)
class Pair:
    """A teacher and a student on a data set: their recipes are the columns of a figure."""

    bench: Bench
    teacher: str
    student: str

    @property
    def recipes(self) -> dict[str, str]:
        """Names of the recipes by the name of the column."""
        main, *_ = self.bench.pairs
        ending = "" if self.teacher == main else f"-from-{self.teacher}"
        distilled = {method: called(self.bench, f"{self.student}-{method}{ending}") for method in METHODS}
        alone = called(self.bench, f"{self.student}-none")
        return {TEACHER: called(self.bench, self.teacher), ALONE: alone, **distilled}

    def __str__(self) -> str:
        return f"{PLAIN[self.student]} from {PLAIN[self.teacher]} on {self.bench.title}"


def pairs_on(datasets: Container[str]) -> list[Pair]:
    """All pairs of the tables on these data sets (names of readers)."""
    return [
        Pair(bench, teacher, student)
        for bench in pairs.BENCHES
        if bench.dataset in datasets
        for teacher, students in bench.pairs.items()
        for student in students
    ]


def fullest(of: Iterable[Pair], finished: Container[str]) -> Pair | None:
    """The pair with most of its recipes finished, the first of several; None where no student of any is."""

    def count(pair: Pair) -> tuple[int, int]:
        done = [name in finished for name in pair.recipes.values()]
        return sum(done[1:]), sum(done)  # pairs share their teacher

    best = max(of, key=count, default=None)
    return best if best is not None and count(best)[1] else None


def in_order(names: Iterable[str]) -> list[str]:
    """Names of columns in the figure's order, those of the user's own at the end."""
    order = list(COLUMNS)
    return sorted(names, key=lambda name: order.index(name) if name in COLUMNS else len(order))


def published_bank(size: int, dim: int, patch: tuple[int, ...]) -> int:
    """Bytes of the paper's memory bank: of each of the last ``size`` images the whole embedding ``(dim, *patch)``."""
    return _bytes(size, dim, *patch)


def own_bank(size: int, dim: int) -> int:
    """Bytes of ours: of each image two Gram matrices ``(dim, dim)``, whatever the size of the image."""
    return _bytes(size, 2, dim, dim)


def _bytes(*shape: int) -> int:
    if min(shape) < 1:
        raise UserError(f"memory bank: got the shape {shape}, expected positive sizes")
    return math.prod(shape) * FLOAT
