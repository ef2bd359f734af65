"""What a reader of a table must know: what its cells mean, what was not measured, what could not be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from segraft.metrics.protocols import OURS, PAPER
from segraft.paper.budget_letters import Letters
from segraft.paper.comparison import Comparison, Line, alone_of
from segraft.paper.printing import DAMAGED, MISSING, NONE_YET
from segraft.paper.tables import TABLES, Part

SIGNS = (
    f'"{MISSING}" is not in the paper, "{NONE_YET}" is not measured or cannot be told; {DAMAGED} is computed from the '
    "paper's text, for a cell was not legible."
)
PROTOCOLS = (
    f"Protocols {PAPER.name} and {OURS.name} are two ways to score the same segmentations; ± is the standard deviation "
    "over seeds."
)
GAP = (
    "Gap closed: (student − alone) / (teacher − alone), by protocol paper; none where the teacher is no better than "
    "the student alone. Published ones are computed from the tables' values; the paper's text tells others in places."
)
PAIRED = (
    "Minus alone: mean over test images, and the 95 % bootstrap interval over them; of means over seeds, so that it "
    "knows nothing of further seeds."
)


def remarks(
    number: int, parts: Sequence[Part], lines: Mapping[str, Sequence[Line]], comparison: Comparison, letters: Letters
) -> list[str]:
    """Notes below a table."""
    measured = any(line.group is not None for of_part in lines.values() for line in of_part)
    notes = [SIGNS, GAP]
    if measured:
        notes += [PROTOCOLS, PAIRED]
        notes += [each for part in parts for each in _of_part(part, lines[part.name], comparison, letters)]
    if any(line.group is not None and not line.group.first.comparable for each in lines.values() for line in each):
        notes.append("Scores of a budget that differs from the paper's are not comparable with the published ones.")
    return [*notes, *filter(None, [TABLES[number].note])]


def _of_part(part: Part, lines: Sequence[Line], comparison: Comparison, letters: Letters) -> Iterator[str]:
    """What is special about the runs on a data set."""
    missing = [line.label for line in lines if line.group is None]
    if len(missing) == len(lines):
        yield f"{part.title}: nothing is measured."
        return
    if missing:
        yield f"{part.title}: not measured are {len(missing)} of {len(part.rows)} rows: {'; '.join(missing)}."
    for line in lines:
        called = f"{part.title}, {line.label} (budget {letters.of(line.group)})"
        yield from (f"{called}: {each}." for each in _of_line(line, comparison))
    yield from _different_images(part, lines, letters)


def _different_images(part: Part, lines: Sequence[Line], letters: Letters) -> Iterator[str]:
    """Which budgets were scored on how many images, where these are not the same."""
    by_images: dict[frozenset[str], list[str]] = {}
    for line in lines:
        if line.group is not None:
            by_images.setdefault(line.group.images, []).append(letters.of(line.group))
    if len(by_images) > 1:
        sets = sorted((len(images), sorted(set(of))) for images, of in by_images.items())
        told = "; ".join(f"{count} images: budget{'s' * (len(of) > 1)} {', '.join(of)}" for count, of in sets)
        yield f"{part.title}: runs were scored on different images, and are compared where these are the same ({told})."


def _of_line(line: Line, comparison: Comparison) -> Iterator[str]:
    group = line.group
    if group is None:
        return
    if any(not group.values(column, PAPER.name) for column in line.recipe.columns):
        yield f"{group.runs[0].folder} has no scores by protocol {PAPER.name}; delete its scores.json and run it again"
    if group.copies:
        folders = ", ".join(str(run.folder) for run in group.copies)
        yield f"{folders} left out, for the same seed with the same budget is there already"
    if line.recipe.teacher is None:
        return
    alone, teacher = comparison.alone(group), comparison.teacher(group)
    if alone is None:
        yield f"no run of {alone_of(line.recipe.name)} with the same budget and images, so that nothing is compared"
    if teacher is None:
        yield f"its teacher, a run of {line.recipe.teacher}, is not there with the same images, so that no gap is told"
    elif group.first.spent is not None and group.first.spent.teacher is None:
        yield f"its model does not tell its teacher, which is taken to be {teacher.runs[0].folder}"
