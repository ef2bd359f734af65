"""Tables II and III: teachers, students alone, and students by every method, on the paper's data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from segraft.paper.columns import LEAVES, OBJECTS, PARTITIONS, POSTPROCESSING, Column
from segraft.paper.published import published
from segraft.paper.recipe import MUTEX, NEURONS, Published, Recipe, Segmentation, alone, distilled

METHODS = {"at": "AT", "spkd": "SPKD", "rekd": "ReKD", "biskd": "BISKD", "graph": "Ours"}
"""What the tables call the methods."""
PLAIN = {
    "resunet": "ResUNet",
    "nested-unet": "NestedUNet",
    "mala": "MALA",
    "resunet-tiny": "ResUNet-tiny",
    "mobilenet": "MobileNet",
    "mala-tiny": "MALA-tiny",
}
"""What the tables call the networks."""


@dataclass(frozen=True)
class Bench:
    """A data set with what is trained on it."""

    table: int
    name: str
    """In the names of recipes."""
    dataset: str
    ndim: int
    pairs: Mapping[str, tuple[str, ...]]
    """Students by teacher; the first teacher is the one that recipes' names leave out."""
    columns: tuple[Column, ...]
    settings: Mapping[str, Any]
    paper: str = ""
    """What the paper calls it; empty where it is not in the paper."""
    stands_for: str = ""
    """Data set of the paper in whose place it stands."""
    segmentations: Mapping[str, Segmentation] = field(default_factory=lambda: MUTEX)
    foreground: str = "learnt"
    changes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Weights of a method's terms that differ from its usual ones."""
    notes: str = ""

    @property
    def place(self) -> str:
        """The table in recipes' words."""
        return f"table{self.table}"

    @property
    def title(self) -> str:
        """What tables call it."""
        return self.paper or f"{self.name.upper()}, in place of {self.stands_for}"


PAIRS = {"resunet": ("resunet-tiny", "mobilenet"), "nested-unet": ("resunet-tiny", "mobilenet")}
NEURITES: dict[str, Any] = {
    "table": 3,
    "ndim": 3,
    "pairs": {"mala": ("mala-tiny",)},
    "columns": PARTITIONS,
    "segmentations": NEURONS,
    "foreground": "none",
}
"""What benches of neurons have in common."""
CVPPP = Bench(
    table=2,
    name="cvppp",
    dataset="cvppp",
    ndim=2,
    pairs=PAIRS,
    columns=LEAVES,
    paper="CVPPP",
    settings={"patch": (544, 544)},
    foreground="truth",
    changes={"biskd": {"intra_affinity": 20.0}},  # affinity_weight in BISKD's config/cvppp.yaml
    notes="the authors' 20 test plants; which of the other 108 validate is drawn by seed",
)
BBBC010 = Bench(
    table=2,
    name="bbbc010",
    dataset="bbbc010",
    ndim=2,
    pairs=PAIRS,
    columns=OBJECTS,
    paper="C.elegans",
    settings={"patch": (512, 512)},
    notes="the paper's split is not published, ours is drawn by seed",
)
BBBC039 = Bench(
    table=2,
    name="bbbc039",
    dataset="bbbc039",
    ndim=2,
    pairs=PAIRS,
    columns=OBJECTS,
    paper="BBBC039V1",
    settings={"patch": (512, 512)},
    notes="no configuration for BBBC039 was released; the crop is that of C. elegans, whose images have the same size",
)
AC34 = Bench(name="ac34", dataset="ac34", paper="AC3/4", settings={}, **NEURITES)
CREMI = tuple(
    Bench(
        name=f"cremi-{sample.lower()}",
        dataset="cremi",
        paper=f"CREMI-{sample}",
        settings={"options": {"sample": sample}},
        **NEURITES,
    )
    for sample in "ABC"
)
FIB25 = Bench(
    name="fib25",
    dataset="cremi",
    stands_for="AC3/4 and CREMI",
    settings={},
    notes="any volume in the layout of CREMI's files; meant for FIB-25 of Janelia, not in the paper",
    **NEURITES,
)
BENCHES = (CVPPP, BBBC010, BBBC039, AC34, *CREMI, FIB25)


def recipes(bench: Bench) -> Iterator[Recipe]:
    """All recipes of a data set, teachers first."""
    main, *_ = bench.pairs
    students = dict.fromkeys(student for each in bench.pairs.values() for student in each)
    for network in bench.pairs:
        yield recipe(bench, bench.place, network, f"{PLAIN[network]}, teacher", network)
    for network in students:
        yield recipe(bench, bench.place, f"{network}-none", f"{PLAIN[network]}, alone", network)
    for teacher, own in bench.pairs.items():
        for network in own:
            for method, named in METHODS.items():
                ending = f"{network}-{method}" + ("" if teacher == main else f"-from-{teacher}")
                row = f"{PLAIN[network]} from {PLAIN[teacher]}, {named}"
                yield recipe(bench, bench.place, ending, row, network, teacher, method)


def called(bench: Bench, ending: str) -> str:
    """Name of a recipe of Tables II and III."""
    return f"{bench.place}-{bench.name}-{ending}"


def recipe(
    bench: Bench,
    place: str,
    ending: str,
    row: str,
    network: str,
    teacher: str | None = None,
    method: str = "none",
    *,
    values: Published | None = None,
    changes: Mapping[str, float] | None = None,
    **settings: Any,
) -> Recipe:
    """A recipe on a data set, of its own table, or of another place: ``table4``, ``fig6``.

    ``values`` are the published scores, by default those of the bench's own table; ``changes`` are weights of the
    method's terms in the paper's scale, ``settings`` what else differs from the bench's.
    """
    name = f"{place}-{bench.name}-{ending}"
    own: dict[str, Any] = {"dataset": bench.dataset, "network": network, **bench.settings, **settings}
    of_teacher = called(bench, teacher) if teacher is not None else None
    return Recipe(
        name=name,
        place=place,
        row=row,
        settings=(
            alone(name, bench.ndim, **own)
            if of_teacher is None
            else distilled(name, bench.ndim, of_teacher, method, changes or bench.changes.get(method), **own)
        ),
        columns=bench.columns,
        teacher=of_teacher,
        segmentations=bench.segmentations,
        foreground=bench.foreground,
        published=_published(bench, network, teacher, method) if values is None else values,
        stands_for=bench.stands_for or (CVPPP.paper if place != bench.place and bench is not CVPPP else ""),
        notes=bench.notes,
    )


def _published(bench: Bench, network: str, teacher: str | None, method: str) -> Published:
    """The bench's own table says so, of a teacher, a student alone, or one from a teacher."""
    if not bench.paper:
        return {}
    keys = {"dataset": bench.paper, "method": METHODS.get(method, "none")}
    if network in bench.pairs:
        keys |= {"teacher": PLAIN[network], "student": "", "method": "teacher"}
    else:
        keys |= {"teacher": PLAIN[teacher] if teacher is not None else "", "student": PLAIN[network]}
    return {column: published(bench.table, column.title, **keys, **_postprocessing(column)) for column in bench.columns}


def _postprocessing(column: Column) -> dict[str, str]:
    name = POSTPROCESSING.get(column.segmentation)
    return {} if name is None else {"postprocessing": name}
