"""The images of one file: most files hold one, some several series, scenes or positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segraft.errors import UserError
from segraft.types import Space


@dataclass(frozen=True)
class Series:
    """One image of an open file, of which parts are read."""

    axes: str
    """A letter per axis: T time, Z, C channels, S samples of a colour, Y, X; others, ``?`` for example, unknown."""
    shape: Space
    read: Callable[[tuple[Any, ...]], np.ndarray]
    """Read a box, an index or a slice per axis, as an array would be indexed."""
    dtype: np.dtype | None = None
    """Of the pixels; None where no more than the whole image tells it."""
    chunks: Space | None = None
    """What is stored as one: its size along each axis, where there is such a thing."""
    absent: Callable[[tuple[Any, ...]], int] = lambda box: 0
    """How many chunks that a box touches were never written; 0 where the file cannot tell."""

    @property
    def named(self) -> tuple[int, ...]:
        """The axes that count planes, T and Z."""
        return tuple(axis for axis, letter in enumerate(self.axes) if letter in "TZ")


def unnamed(array: Any) -> Series:
    """A series of an array, or of one in a file, whose axes nobody named."""
    return Series("?" * len(array.shape), tuple(array.shape), lambda box: np.asarray(array[box]), array.dtype)


def pick(path: Path | str, series: Sequence[Any], key: str | None) -> Any:
    """Return the series of a file that a key, its number, names, or the only one.

    Raises ``UserError`` where there are several and no key, and for a number that is not there.
    """
    last = len(series) - 1
    if key is None and last > 0:
        raise UserError(
            f"{path}: got {last + 1} images in one file, expected one; name it: {Path(path).name}:0 to :{last}"
        )
    if not 0 <= (number := int(key or 0)) <= last:
        raise UserError(f"{path}: got the series {number}, expected 0 to {last}; choose one that is there")
    return series[number]


def as_planes(path: Path, series: Sequence[Series]) -> Series:
    """Join the images of a file, each of one plane, into one stack; ``UserError`` where they differ in size."""
    shapes = list(dict.fromkeys(each.shape for each in series))
    if len(shapes) > 1:
        found = " and ".join(map(str, shapes[:3]))
        raise UserError(
            f"{path}: got planes of shapes {found}, expected one size; leave out --planes to segment each on its own"
        )
    axes, shape = f"?{series[0].axes}", (len(series), *shapes[0])
    return Series(axes, shape, lambda box: series[box[0]].read(tuple(box[1:])), series[0].dtype)
