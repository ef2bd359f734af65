"""Where students fail and their teacher does not: true objects that they split or merge, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from segraft.files import some
from segraft.labels.mistakes import Mistaken

MOST = 10
"""Images that tables show."""
KINDS = ("split", "merged")


@dataclass(frozen=True)
class Failing:
    """An image on which students fail: how many true objects that is in all, and in words by the student's name."""

    image: str
    count: float
    cells: dict[str, str]


def failing(images: Sequence[str], found: Mapping[str, Sequence[Sequence[Mistaken]]]) -> list[Failing]:
    """List images on which students split or merge true objects that their teacher does neither to, the worst first.

    Of several runs of a student the number is the mean; ids are of objects on which half of its runs or more fail. The
    teacher has an object right where more than half of its runs do.

    Parameters
    ----------
    images : names of the images
    found : of each model, the teacher first, of each of its runs, of each image
    """
    listed = []
    for number, image in enumerate(images):
        teacher, *students = ({kind: _shares(runs, number, kind) for kind in KINDS} for runs in found.values())
        excused = {each for kind in KINDS for each, share in teacher[kind].items() if share >= 1 / 2}
        cells, count = {}, 0.0
        for name, student in zip(list(found)[1:], students, strict=True):
            new = {kind: {each: student[kind][each] for each in student[kind] if each not in excused} for kind in KINDS}
            count += sum(sum(shares.values()) for shares in new.values())
            cells[name] = ", ".join(_words(kind, shares) for kind, shares in new.items() if shares) or "–"
        if count:
            listed.append(Failing(image, count, cells))
    return sorted(listed, key=lambda each: -each.count)


def summary(listed: Sequence[Failing], images: int) -> str:
    """How many images are listed, in words."""
    return (
        "True objects that students split or merge and the teacher does not, with their ids: "
        f"on {len(listed)} of {images} images, the worst first."
    )


def _shares(runs: Sequence[Sequence[Mistaken]], number: int, kind: str) -> dict[int, float]:
    """The share of a model's runs that make this kind of mistake at each true object of an image."""
    times = Counter(int(each) for run in runs for each in getattr(run[number], kind))
    return {each: times[each] / len(runs) for each in sorted(times)}


def _words(kind: str, shares: Mapping[int, float]) -> str:
    """How many objects, and the ids of those on which most runs fail."""
    most = [str(each) for each, share in shares.items() if share >= 1 / 2]
    return f"{sum(shares.values()):.3g} {kind}" + (f" ({some(most)})" if most else "")
