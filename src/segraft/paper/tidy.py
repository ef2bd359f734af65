"""The values of a table's row, one by one, for other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segraft.metrics.protocols import OURS, PAPER
from segraft.metrics.scores import SCORES
from segraft.metrics.scoring import spread
from segraft.paper.columns import Column
from segraft.paper.comparison import Comparison, Line, published_gap
from segraft.paper.gathering import Group

UNITS = {"ratio": "fraction", "bits": "bits", "count": "objects"}
"""Of measured scores, by their kind; VOI as published may be in nats, for that is not stated."""


def tidy(number: int, line: Line, comparison: Comparison) -> Iterator[dict[str, Any]]:
    """A value for each column and protocol, by names of ``VALUES``."""
    made = _made(line.group) if line.group is not None else {}
    for column in line.recipe.columns:
        said = _said(number, line, column)
        for protocol in (PAPER.name, OURS.name):
            yield {**said, **made, "protocol": protocol, **_measured(line, column, protocol, comparison)}


def _said(number: int, line: Line, column: Column) -> dict[str, Any]:
    """What it is, and what is published of it."""
    score = SCORES[column.metric]
    value = line.recipe.published.get(column)
    return {
        "table": number,
        "dataset": line.part.title,
        "row": line.label,
        "recipe": line.recipe.name,
        "method": line.recipe.method,
        "segmentation": column.segmentation,
        "column": column.title,
        "metric": column.metric,
        "better": score.better,
        "unit": UNITS[score.kind],
        "published": value.score if value is not None else None,
        "published_status": value.status if value is not None else "",
        "gap_published": published_gap(line.recipe, column)[0],
    }


def _measured(line: Line, column: Column, protocol: str, comparison: Comparison) -> dict[str, Any]:
    values = line.group.values(column, protocol) if line.group is not None else []
    if not values:
        return {}
    mean, deviation = spread(values)
    told: dict[str, Any] = {
        "measured": mean,
        "spread": deviation,
        "gap_measured": comparison.gap(line, column, protocol),
    }
    difference = comparison.difference(line, column, protocol)
    if difference is not None:
        told |= {f"minus_alone{end}": each for end, each in zip(("", "_low", "_high"), difference, strict=True)}
    return told


def _made(group: Group) -> dict[str, Any]:
    """How it was measured."""
    first = group.first
    spent = first.spent
    told = (
        {}
        if spent is None
        else {name: getattr(spent, name) for name in ("training", "steps", "batch", "rate", "teacher")}
    )
    return {
        **told,
        "patch": "x".join(map(str, spent.patch)) if spent is not None and spent.patch is not None else None,
        "seeds": " ".join("?" if seed is None else str(seed) for seed in group.seeds),
        "images": len(group.images),
        "comparable": first.comparable,
        "scale": first.scale,
        "hardware": first.hardware.get("name"),
        "seconds": first.seconds.get("training"),
        "command": first.command,
        "differs": "; ".join(first.differs) or first.note,
    }
