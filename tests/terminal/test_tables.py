"""Tables are whole where nobody can widen the window."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from rich.table import Table

from segraft.terminal.tables import print_table

WIDE = [f"a long cell {number} [with brackets] :smile:" for number in range(20)]


def a_table() -> Table:
    table = Table(*WIDE, title="[table]")
    table.add_row(*WIDE)
    return table


def test_a_piped_table_is_never_cut(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(a_table())
    out = capsys.readouterr().out
    assert all(out.count(cell) == 2 for cell in WIDE)
    assert "…" not in out
    assert "[table]" in out
    assert max(map(len, out.splitlines())) < 1000


def test_on_a_terminal_a_table_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    print_table(a_table())
    assert max(map(len, terminal.getvalue().splitlines())) <= 200
