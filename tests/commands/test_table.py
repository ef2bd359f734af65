"""Tables of the paper: published beside measured, in the terminal and as Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from segraft.cli import main
from segraft.commands.table import table
from segraft.errors import UserError
from segraft.paper import TABLES
from shared.results import cells, fake

Capture = pytest.CaptureFixture[str]


def test_a_table_of_results(tmp_path: Path, capsys: Capture) -> None:
    fake(tmp_path / "runs", "table2-bbbc039-resunet-tiny-graph", 0.5)
    fake(tmp_path / "runs", "table2-bbbc039-resunet-tiny-graph", 0.7, seed=1)
    fake(tmp_path / "runs", "table2-bbbc039-resunet-tiny-none", 0.3, scale=0.1)
    table("2", runs=tmp_path / "runs", markdown=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    header = text.splitlines()[0]
    assert header == "| row | AJI | Dice (our f1) | F1 (our dice) | PQ |"
    ours = cells(text, "bbbc039: ResUNet-tiny from ResUNet, ours")
    # sbd dic aji dice f1 pq: the third is 0.02 above the first
    assert ours == [
        "0.884 / 0.720 ± 0.141, ours 0.620 ± 0.141",
        "n/a / 0.640 ± 0.141",
        "n/a / 0.630 ± 0.141",
        "0.868 / 0.650 ± 0.141",
    ]
    assert cells(text, "bbbc039: ResUNet-tiny, alone")[0] == "0.865 / 0.420 (scale 0.1), ours 0.320"
    assert cells(text, "bbbc039: ResUNet, teacher") == ["n/a / –"] * 4
    assert "not comparable with the published figures" in text
    assert "measured by the protocol paper, and by ours where it says something else" in text
    printed = capsys.readouterr().out
    assert "Table 2" in printed
    assert "0.620 ± 0.141" in printed
    table("II", runs=tmp_path / "runs")
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("number", TABLES)
def test_every_table_without_a_run(number: int, tmp_path: Path, capsys: Capture) -> None:
    table(str(number), runs=tmp_path / "none", markdown=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    assert capsys.readouterr().out.count("/ –") == len(TABLES[number].rows) * len(TABLES[number].columns)
    assert "not comparable" not in text
    if number == 6:
        assert cells(text, "width 4, ours")[:2] == ["0.295", "5.62"]


def test_two_segmentations_have_columns_of_their_own(tmp_path: Path) -> None:
    fake(tmp_path, "table3-cremi-mala-tiny-graph", 0.5)
    table("3", runs=tmp_path, markdown=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    assert text.startswith("| row | waterz: VOI | waterz: ARAND | lmc: VOI | lmc: ARAND |")
    assert cells(text, "cremi: MALA-tiny from MALA, ours") == ["n/a / 0.580", "n/a / 0.610"] * 2


@pytest.mark.parametrize("number", ["0", "7", "VII", ""])
def test_there_is_no_such_table(number: str, capsys: Capture) -> None:
    with pytest.raises(UserError, match="unknown table"):
        table(number)
    assert main(["table", number]) == 2
    assert "known: 1, 2, 3" in capsys.readouterr().err


def test_markdown_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got the folder"):
        table("1", markdown=tmp_path)
