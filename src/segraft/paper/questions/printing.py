"""Questions and their results for people."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.table import Table

from segraft.paper.questions import QUESTIONS
from segraft.paper.questions.question import Panel
from segraft.paper.questions.rows import Results, in_order, mean_of, related
from segraft.terminal.tables import print_table

NONE = "–"


def listing() -> None:
    """Print all questions: what each asks, trainings, estimated minutes, and what it needs."""
    print("Questions that the paper leaves open")
    table = Table("name", "asks", "trainings", "minutes", "data", box=SIMPLE_HEAD)
    for each in QUESTIONS.values():
        count = str(len(each.seeds) * len(each.trials))
        table.add_row(each.name, each.asks, count, str(each.minutes), each.data or "generated")
    print_table(table)
    print("Answer one: segraft recipe NAME. Minutes are estimated for two cores; --scale 0.1 takes about a tenth.")


def print_results(results: Results) -> None:
    """Print a table for each panel, and what goes with what."""
    for panel in results.question.panels:
        if not panel.points:
            print(f"{panel.title}: {panel.ylabel}, mean ± standard deviation over seeds")
            print_table(table_of(results, panel))
    for one, other in results.question.relations:
        pairs = results.pairs(one, other)
        found = related(pairs)
        told = "not known" if found is None else f"{found:.2f}"
        print(f"correlation of {one} with {other}: {told} ({len(pairs)} students)")


def table_of(results: Results, panel: Panel) -> Table:
    """A panel as a table: x in rows, series in columns, those to which x does not apply last."""
    series, levels = results.series(panel), results.levels(panel)
    table = Table(panel.x, *series, *levels, box=SIMPLE_HEAD)
    for x in in_order(x for points in series.values() for x in points):
        cells = [mean_of(points[x]) if x in points else NONE for points in series.values()]
        table.add_row(str(x), *cells, *(mean_of(values) for values in levels.values()))
    return table
