"""Results of a question: a row for each model and condition, kept in a csv; gains, and what goes with what."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import correlation

from segraft.errors import UserError
from segraft.files import write_text
from segraft.metrics.scoring import spread
from segraft.paper.questions.question import SCORE, Panel, Question

Value = str | int | float | None
Row = dict[str, Value]
"""Values by column; None where a column does not apply."""
KEYS = ("trial", "seed", "condition")
"""Columns that, with what is varied between conditions, tell rows apart."""
FEWEST = 3
"""Pairs of values from which on a correlation is told."""
Points = dict[str | int | float, list[float]]
"""Values of y by x."""


@dataclass
class Results:
    """The rows of a question, in a file that always holds all of them."""

    question: Question
    path: Path
    rows: list[Row] = field(default_factory=list)

    @classmethod
    def read(cls, question: Question, path: Path) -> Results:
        """Those of an earlier call; none where there was none. Raises ``UserError`` for a file that cannot be read."""
        if not path.exists():
            return cls(question, path)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]
        except (OSError, ValueError, csv.Error) as error:
            raise UserError(f"{path} cannot be read ({error}), expected results; remove it to score again") from error
        if rows and not set(KEYS) <= rows[0].keys():
            raise UserError(f"{path} has no columns {', '.join(KEYS)}, expected results; remove it to score again")
        return cls(question, path, rows)

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows of a model and write all."""
        self.rows += rows
        _compare(self.question, self.rows)
        self._write()

    def has(self, **values: Value) -> bool:
        """Whether there is a row with these values."""
        return any(_is(row, values) for row in self.rows)

    def _write(self) -> None:
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.path, text.getvalue())

    def of(self, panel: Panel) -> list[Row]:
        """The rows that a panel draws at an x."""
        return [row for row in self._within(panel) if row.get(panel.x) is not None and _number(row, panel.y)]

    def series(self, panel: Panel) -> dict[str, Points]:
        """What a panel draws: by series values of y, one for each seed, by x; both in their order."""
        rows = self.of(panel)
        present = dict.fromkeys(panel.called or str(row["series"]) for row in rows)
        names = [name for name in panel.series if name in present] if panel.series else list(present)
        found: dict[str, Points] = {}
        for name in names:
            points: Points = {}
            for row in rows:
                if (panel.called or row["series"]) == name and (x := row[panel.x]) is not None:
                    points.setdefault(x, []).append(_float(row[panel.y]))
            found[name] = {x: points[x] for x in in_order(points)}
        return found

    def levels(self, panel: Panel) -> dict[str, list[float]]:
        """Values of y of the series to which the x of a panel does not apply."""
        values = {
            name: [_float(row[panel.y]) for row in self.rows if row["series"] == name and _number(row, panel.y)]
            for name in panel.levels
        }
        return {name: each for name, each in values.items() if each}

    def pairs(self, one: str, other: str) -> list[tuple[float, float]]:
        """Values of two columns, of the rows that have both."""
        return [
            (_float(row[one]), _float(row[other])) for row in self.rows if _number(row, one) and _number(row, other)
        ]

    def _within(self, panel: Panel) -> list[Row]:
        return [
            row
            for row in self.rows
            if _is(row, panel.where) and (not panel.series or row["series"] in panel.series)
            and row["series"] not in panel.levels
        ]  # fmt: skip


def in_order(places: Iterable[str | int | float]) -> list[str | int | float]:
    """Numbers by their size, words as they come; each once."""
    once = list(dict.fromkeys(places))
    return once if any(isinstance(each, str) for each in once) else sorted(once, key=float)


def related(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's correlation of pairs of values; None for few of them, and where one of the two does not vary."""
    columns = list(zip(*pairs, strict=True))
    if len(pairs) < FEWEST or any(len(set(column)) == 1 for column in columns):
        return None
    return correlation(*columns)


def mean_of(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds in words."""
    mean, deviation = spread(values)
    return f"{mean:.4g}" if deviation is None else f"{mean:.4g} ± {deviation:.2g}"


def _compare(question: Question, rows: Sequence[Row]) -> None:
    """Write gains and gaps into rows of students that have a teacher: of the same seed and condition."""
    scores = {_place(question, row, str(row["trial"])): row.get(SCORE) for row in rows}
    known = {trial.name: trial for trial in question.trials}
    for row in rows:
        trial = known.get(str(row["trial"]))
        if trial is None or trial.alone is None or not _number(row, SCORE):
            continue
        alone = scores.get(_place(question, row, trial.alone))
        teacher = scores.get(_place(question, row, trial.teacher or ""))
        own = _float(row[SCORE])
        row["alone_score"], row["teacher_score"] = alone, teacher
        row["gain"] = None if alone is None else own - _float(alone)
        row["gap"] = None if alone is None or teacher is None else _float(teacher) - _float(alone)


def _place(question: Question, row: Row, trial: str) -> tuple[Value, ...]:
    """What a trial's row of the same seed and condition is known by."""
    varied = dict.fromkeys(name for condition in question.conditions for name in condition.values)
    return trial, row["seed"], row["condition"], *(row.get(name) for name in varied)


def _is(row: Row, values: Mapping[str, Value]) -> bool:
    return all(row.get(name) == value for name, value in values.items())


def _number(row: Row, column: str) -> bool:
    return isinstance(row.get(column), int | float)


def _float(value: Value) -> float:
    assert isinstance(value, int | float)
    return float(value)


def _value(text: str | None) -> Value:
    """A cell as a number where it is one; None where it is empty."""
    if not text:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
