"""Table I: parameters, multiply-adds and times of six networks, published beside counted and timed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segraft.errors import choose
from segraft.metrics.scoring import spread
from segraft.paper.cost import size_of
from segraft.paper.networks import NETWORK_ROWS, NetworkRow
from segraft.paper.printing import NONE_YET
from segraft.paper.published import PublishedValue
from segraft.paper.sheets import Document, Sheet
from segraft.paper.tables import TABLES

SIZES = {"params": ("parameters, M", 1e6), "flops": ("multiply-adds of one image, G", 1e9)}
"""What is counted: its title, and its unit."""
WAYS = ("convolutions only", "as published")
"""How it is counted."""
COUNTS = (
    "Counted as published: with normalisation, activation, pooling and enlargement; of MobileNet the network with 1000 "
    "outputs and its classifier, neither of which is used here."
)
TIMES = (
    "Published times are of the whole test set, on the authors' GPU; ours are of one pass over one image, from array "
    "to array, without post-processing: mean ± standard deviation. They mean little on a busy machine."
)


@dataclass(frozen=True)
class Timed:
    """Seconds of passes of a network over one image, and the machine."""

    network: str
    shape: tuple[int, ...]
    seconds: tuple[float, ...]
    hardware: Mapping[str, Any]

    @property
    def where(self) -> str:
        """The machine in words."""
        threads = f", threads: {self.hardware.get('threads')}" if self.hardware.get("device") == "cpu" else ""
        return f"{self.hardware.get('name')} ({self.hardware.get('device')}{threads})"


def networks_document(
    rows: Sequence[NetworkRow], timed: Sequence[Timed], repeated: str, problems: Sequence[str] = ()
) -> Document:
    """Table I; ``repeated`` is the command that times, ``problems`` are lines about what had to be left out."""
    heading = f"Table 1: {TABLES[1].title}"
    sheets = [*(_sizes(metric, rows) for metric in SIZES), _times(rows, timed)]
    missing = [row.title for row in rows if not any(_is_of(each, row) for each in timed)]
    untimed = [f"Not timed: {', '.join(missing)}; {repeated} does it."] if missing else []
    notes = [COUNTS, TIMES, *untimed, *problems]
    return Document(heading, sheets, None, notes, [value for row in rows for value in _values(row, timed, repeated)])


def rows_called(texts: Sequence[str]) -> tuple[NetworkRow, ...]:
    """Rows whose network has one of these names or titles; all without a text. Raises ``UserError`` for others."""
    known = {name: row for row in NETWORK_ROWS for name in (row.title, row.network)}
    chosen = {choose("network of Table 1", text, known).title for text in texts}
    return tuple(row for row in NETWORK_ROWS if not chosen or row.title in chosen)


def _sizes(metric: str, rows: Sequence[NetworkRow]) -> Sheet:
    """What is published and counted in both ways."""
    title, unit = SIZES[metric]
    cells = [
        [row.title, _image(row), row.published(metric).digits, *(f"{each / unit:.2f}" for each in _counts(row, metric))]
        for row in rows
    ]
    return Sheet(title, ("network", "image", "published", *(f"counted, {way}" for way in WAYS)), cells)


def _times(rows: Sequence[NetworkRow], timed: Sequence[Timed]) -> Sheet:
    """Published times, and a column for each machine."""
    machines = list(dict.fromkeys(each.where for row in rows for each in timed if _is_of(each, row)))
    cells = []
    for row in rows:
        of_row = {each.where: each for each in timed if _is_of(each, row)}
        times = (_seconds(of_row.get(where)) for where in machines)
        cells.append([row.title, _image(row), with_spread(row.published("inference_time")), *times])
    header = ("network", "image", "published, whole test set", *(f"one image, {where}" for where in machines))
    return Sheet("inference time, s", header, cells)


def _counts(row: NetworkRow, metric: str) -> list[int]:
    """A count in the order of ``WAYS``."""
    from segraft.paper.counting import counted  # PyTorch

    place = list(SIZES).index(metric)
    return [size_of(row)[place], counted(row)[place]]


def _image(row: NetworkRow) -> str:
    return " × ".join(map(str, row.shape))


def with_spread(value: PublishedValue) -> str:
    """A published value with its spread."""
    return value.digits + (f" ± {value.spread:g}" if value.spread is not None else "")


def _seconds(timed: Timed | None) -> str:
    if timed is None:
        return NONE_YET
    mean, deviation = spread(timed.seconds)
    return f"{mean:.3g}" + (f" ± {deviation:.2g}" if deviation is not None else "")


def _is_of(timed: Timed, row: NetworkRow) -> bool:
    return (timed.network, timed.shape) == (row.network, row.shape)


def _values(row: NetworkRow, timed: Sequence[Timed], command: str) -> Iterator[dict[str, Any]]:
    """Tidy values: counts by both ways of counting, and times on every machine."""
    for metric, (_, unit) in SIZES.items():
        for way, count in zip(WAYS, _counts(row, metric), strict=True):
            yield {**_said(row, metric), "protocol": way, "measured": count / unit}
    for each in timed:
        if _is_of(each, row):
            mean, deviation = spread(each.seconds)
            told = {"protocol": "one image", "measured": mean, "spread": deviation, "hardware": each.where}
            yield {**_said(row, "inference_time"), **told, "command": command}


def _said(row: NetworkRow, metric: str) -> dict[str, Any]:
    value = row.published(metric)
    return {
        "table": 1,
        "dataset": " x ".join(map(str, row.shape)),
        "row": row.title,
        "column": metric,
        "metric": metric,
        "better": "lower",
        "unit": value.unit,
        "published": value.value,
        "published_status": value.status,
        "published_spread": value.spread,
    }
