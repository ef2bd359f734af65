"""Tables on the standard output: as wide as the terminal, and whole in a file or a pipe."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

UNBOUNDED = 10_000
"""Characters per line of a file or a pipe: more than any table has."""


def output() -> Console:
    """The standard output, to which tables are printed; where it is no terminal, nothing is cut or folded."""
    width = None if sys.stdout.isatty() else UNBOUNDED
    return Console(width=width, markup=False, highlight=False, emoji=False)


def print_table(table: Table) -> None:
    """Print a table; see `output`."""
    output().print(table)
