"""Budgets of a table's runs, called A, B, C and so on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from string import ascii_uppercase

from segraft.paper.comparison import Line
from segraft.paper.gathering import Group

Key = tuple[object, ...]


@dataclass(frozen=True)
class Letters:
    """Names for what runs were trained with and tested on, whatever their teacher and the widths of their networks."""

    lines: Sequence[Line]

    def of(self, group: Group | None) -> str:
        """The letter of a group; nothing without one."""
        return "" if group is None else self._letters[_key(group)]

    def notes(self) -> list[str]:
        """What each letter stands for."""
        firsts = {self.of(line.group): line.group for line in reversed(self.lines) if line.group is not None}
        return [f"Budget {letter}: {described(firsts[letter])}." for letter in sorted(firsts, key=_order)]

    def differences(self) -> list[str]:
        """What differs from the paper, by letter, said once for all rows that differ alike."""
        rows: dict[tuple[str, tuple[str, ...]], list[str]] = {}
        for line in self.lines:
            if line.group is not None and line.group.first.note:
                differs = line.group.first.differs or (line.group.first.note,)
                rows.setdefault((self.of(line.group), differs), []).append(line.label)
        return [
            f"{letter} differs from the paper in: {', '.join(differs)} ({'; '.join(dict.fromkeys(labels))})."
            for (letter, differs), labels in sorted(rows.items(), key=lambda each: _order(each[0][0]))
        ]

    @cached_property
    def _letters(self) -> dict[Key, str]:
        keys = dict.fromkeys(_key(line.group) for line in self.lines if line.group is not None)
        return {key: _letter(number) for number, key in enumerate(keys)}


def described(group: Group) -> str:
    """A budget in words."""
    first = group.first
    spent = "published budget" if first.comparable else str(first.spent) if first.spent else "another budget"
    rate = f", rate {first.spent.rate:g}" if first.spent is not None and first.spent.rate is not None else ""
    scale = f", scale {first.scale:g}" if first.scale != 1 else ""
    images = f", scored on {len(group.images)} images" if group.images else ""
    return f"{spent}{rate}{scale}{images}"


def _key(group: Group) -> Key:
    spent = group.first.spent
    bare = replace(spent, teacher=None, filters=None) if spent is not None else None
    return group.first.comparable, group.first.scale, bare, group.images


def _letter(number: int) -> str:
    """A to Z, then A1 to Z1 and so on."""
    again, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(again) if again else "")


def _order(letter: str) -> tuple[int, str]:
    return len(letter), letter
