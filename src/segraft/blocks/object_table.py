"""The table of objects that were measured block by block, as CSV or Parquet, a piece at a time."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from segraft.blocks.objects import Objects, pairs
from segraft.errors import UserError, not_installed
from segraft.files import replacing, unwritable
from segraft.labels.measured_objects import columns, micrometres

WHOLE_MASKS = ("perimeter", "solidity")
"""Measurements that do not add up over blocks, and are left out."""
AT_ONCE = 2**17
"""Objects that are turned into rows at once."""
Columns = dict[str, np.ndarray]


def table_columns(objects: Objects, voxel_size: Sequence[float] | None = None) -> Columns:
    """Return the columns ``(n,)`` of a table by name: those of ``segraft.labels.measured_objects.columns`` and equal to
    them, without perimeter and solidity, which need whole masks. The ``voxel_size`` is in nm per axis.
    """
    ndim, channels = objects.first.shape[1], objects.total.shape[1]
    every = columns(ndim, channels, voxel_size is not None)
    names = [name for name in every if not name.startswith(WHOLE_MASKS)]
    spacing = np.ones(ndim) if voxel_size is None else np.array(micrometres(voxel_size))
    extent = objects.area * np.prod(spacing)
    count = objects.area[:, None]
    values = [
        objects.id,
        objects.area,
        *(objects.first + objects.sums / count).T,
        *objects.first.T,
        *objects.end.T,
        *([] if voxel_size is None else [extent]),
        *_shape(objects, extent, spacing),
        *(objects.total / count).T,
        *objects.largest.T.astype(np.float64),
        *objects.total.T.astype(np.float64),
    ]
    return dict(zip(names, values, strict=True))


def _shape(objects: Objects, extent: np.ndarray, spacing: np.ndarray) -> list[np.ndarray]:
    """Equivalent diameter, major and minor axis, and of areas the eccentricity: of the ellipse of equal moments."""
    ndim = len(spacing)
    means = objects.sums / objects.area[:, None]
    covariance = np.zeros((len(objects.id), ndim, ndim))
    for column, (one, other) in enumerate(pairs(ndim)):
        product = objects.products[:, column] / objects.area - means[:, one] * means[:, other]
        covariance[:, one, other] = covariance[:, other, one] = product * spacing[one] * spacing[other]
    variances = np.linalg.eigvalsh(covariance).clip(0)
    smallest, largest = variances[:, 0], variances[:, -1]
    if ndim == 3:
        return [(6 * extent / np.pi) ** (1 / 3), *(2 * np.sqrt(5 * each) for each in (largest, smallest))]
    ratio = np.divide(smallest, largest, out=np.ones_like(largest), where=largest > 0)
    diameter = np.sqrt(4 * extent / np.pi)
    return [diameter, 4 * np.sqrt(largest), 4 * np.sqrt(smallest), np.sqrt(1 - ratio)]


def check_table(path: str | Path) -> None:
    """Raise ``UserError`` for a table that is neither .csv nor .parquet, or that a missing package writes."""
    _writer(Path(path))


def write_objects(path: str | Path, objects: Objects, voxel_size: Sequence[float] | None = None) -> None:
    """Write ``table_columns`` as CSV, or as Parquet where the name ends in ``.parquet``, completely or not at all.

    Without objects there is the header alone. Raises ``UserError`` as ``check_table``, and for a full disk or a
    read-only folder.
    """
    write = _writer(Path(path))
    starts = range(0, max(len(objects.id), 1), AT_ONCE)
    pieces = (table_columns(objects.part(slice(start, start + AT_ONCE)), voxel_size) for start in starts)
    with unwritable(Path(path)), replacing(Path(path)) as temporary:
        write(temporary, pieces)


def _writer(path: Path) -> Callable[[Path, Iterator[Columns]], None]:
    """Choose how to write a file by its suffix."""
    if path.suffix.lower() == ".csv":
        return _write_csv
    if path.suffix.lower() != ".parquet":
        raise UserError(f"{path}: got the suffix {path.suffix!r}, expected .csv or .parquet; choose one of them")
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise not_installed(error) or error from error
    return _write_parquet


def _write_csv(temporary: Path, pieces: Iterator[Columns]) -> None:
    """Write pieces of columns as text."""
    with open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for number, piece in enumerate(pieces):
            if number == 0:
                writer.writerow(piece)
            writer.writerows(zip(*(values.tolist() for values in piece.values()), strict=True))


def _write_parquet(temporary: Path, pieces: Iterator[Columns]) -> None:
    """Write pieces of columns as groups of rows."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    tables = map(pyarrow.table, pieces)
    first = next(tables)
    with ParquetWriter(temporary, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
