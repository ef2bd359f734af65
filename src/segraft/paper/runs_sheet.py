"""How what a table shows was made: budget, seeds, hardware, time and command of every row."""

from __future__ import annotations

from collections.abc import Sequence

from segraft.metrics.scoring import spread
from segraft.paper.budget_letters import Letters
from segraft.paper.comparison import Line
from segraft.paper.gathering import Group
from segraft.paper.printing import NONE_YET
from segraft.paper.results import Result
from segraft.paper.sheets import Sheet
from segraft.terminal.progress import duration

HEADER = ("data set", "row", "budget", "seeds", "training of one", "hardware", "command of the first seed")


def made(lines: Sequence[Line], letters: Letters) -> Sheet | None:
    """A row for every row of the table that was measured; None where nothing was."""
    rows = [
        [line.part.title, line.label, letters.of(line.group), *_run(line.group)]
        for line in lines
        if line.group is not None
    ]
    return Sheet("How it was measured", HEADER, rows) if rows else None


def _run(group: Group) -> list[str]:
    seeds = ", ".join("not told" if seed is None else str(seed) for seed in group.seeds)
    hardware = "; ".join(dict.fromkeys(_hardware(run.result) for run in group.runs))
    return [seeds, _seconds(group), hardware, group.first.command or NONE_YET]


def _seconds(group: Group) -> str:
    """Mean time of a training; of a model that was trained elsewhere it is not known."""
    known = [each for run in group.runs if (each := run.result.seconds.get("training")) is not None]
    return duration(spread(known)[0]) if known else NONE_YET


def _hardware(result: Result) -> str:
    """What it was scored on, and trained unless that was elsewhere."""
    told = result.hardware
    if not told:
        return NONE_YET
    threads = f", {told.get('threads')} threads" if told.get("device") == "cpu" else ""
    where = "scored on " if result.adopted is not None else ""
    return f"{where}{told.get('name')} ({told.get('device')}{threads})"
