"""Which parts and rows of a table are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from segraft.errors import UserError, choose
from segraft.paper.comparison import alone_of
from segraft.paper.pairs import METHODS
from segraft.paper.recipe import Recipe
from segraft.paper.scaling import TEACHERS
from segraft.paper.tables import RECIPES, TABLES, Part

KINDS = ("teacher", "none", *METHODS)
"""What rows of a table are, by method."""


@dataclass(frozen=True)
class Selection:
    """Data sets, methods and rows of a table; all where none is given."""

    datasets: Sequence[str] = ()
    methods: Sequence[str] = ()
    rows: Sequence[str] = ()

    def __bool__(self) -> bool:
        """Whether anything is chosen."""
        return bool(self.datasets or self.methods or self.rows)

    def parts(self, number: int) -> tuple[Part, ...]:
        """The parts of a table with the rows that are asked for, and with what these are compared with.

        Of a chosen student the teacher and the same student alone come along, where the table has them. Raises
        ``UserError`` for a data set, method or row that the table does not have.
        """
        parts = self._of_datasets(TABLES[number].parts)
        for method in self.methods:
            choose("method", method, dict.fromkeys(KINDS))
        kept = {part.name: self._rows(part) for part in parts}
        labels = {label: name for part in parts for label, name in part.rows.items()}
        for text in self.rows:
            if not any(_is_called(text, label, name) for label, name in labels.items()):
                raise UserError(
                    f"rows: got {text!r}, expected a part of one of {'; '.join(labels)}, or a recipe's name"
                )
        chosen = tuple(replace(part, rows=kept[part.name]) for part in parts if kept[part.name])
        if not chosen:
            raise UserError(f"table {number}: got no row with all that is chosen, expected one at least; choose less")
        return chosen

    def _of_datasets(self, parts: Sequence[Part]) -> list[Part]:
        """Parts of the chosen data sets, by the name in recipes' names, the reader's, or the paper's."""
        known = {name for part in parts for name in _names(part)}
        for name in self.datasets:
            if name.lower() not in known:
                choose("data set of the table", name, {part.name: part for part in parts})
        wanted = {name.lower() for name in self.datasets}
        return [part for part in parts if not wanted or wanted & _names(part)]

    def _rows(self, part: Part) -> Mapping[str, str]:
        chosen = {label: name for label, name in part.rows.items() if self._is_chosen(label, RECIPES[name])}
        along = compared_with(chosen.values())
        return {label: name for label, name in part.rows.items() if label in chosen or name in along}

    def _is_chosen(self, label: str, recipe: Recipe) -> bool:
        kind = "teacher" if recipe.settings.network in TEACHERS else recipe.method
        return (not self.methods or kind in self.methods) and (
            not self.rows or any(_is_called(text, label, recipe.name) for text in self.rows)
        )


def compared_with(names: Collection[str]) -> set[str]:
    """Recipes of the teachers of recipes, and of their students alone."""
    teachers = {RECIPES[name].teacher for name in names}
    return {each for each in (*teachers, *map(alone_of, names)) if each is not None}


def _names(part: Part) -> set[str]:
    return {part.name, part.dataset, part.title.lower()}


def _is_called(text: str, label: str, name: str) -> bool:
    return text == name or text.lower() in label.lower()
