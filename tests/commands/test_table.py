"""Tables of the paper: published beside measured, in the terminal and as Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from segraft.cli import main
from segraft.commands.table import table
from segraft.errors import UserError
from segraft.paper import TABLES
from segraft.paper.results import Spent
from shared.results import cells, fake

Capture = pytest.CaptureFixture[str]


def test_a_table_of_results(tmp_path: Path, capsys: Capture) -> None:
    fake(tmp_path / "runs", "table2-bbbc039-resunet-tiny-graph", 0.5)
    fake(tmp_path / "runs", "table2-bbbc039-resunet-tiny-graph", 0.7, seed=1)
    fake(tmp_path / "runs", "table2-bbbc039-resunet-tiny-none", 0.3, scale=0.1)
    table("2", runs=tmp_path / "runs", markdown=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text()
    head, leaves, objects, nuclei = text.split("**Table 2: CVPPP, C. elegans (BBBC010) and BBBC039; ")
    assert not head
    assert leaves.splitlines()[2] == "| row | SBD | \\|DiC\\| |"
    assert objects.startswith("C.elegans**")
    assert nuclei.splitlines()[2] == "| row | AJI | Dice (our f1) | F1 (our dice) | PQ |"
    # sbd dic aji dice f1 pq: the third is 0.02 above the first
    assert cells(nuclei, "ResUNet-tiny from ResUNet, Ours") == [
        "0.884 / 0.720 ± 0.141, ours 0.620 ± 0.141",
        "0.946 / 0.640 ± 0.141",
        "0.961 / 0.630 ± 0.141",
        "0.868 / 0.650 ± 0.141",
    ]
    assert cells(nuclei, "ResUNet-tiny, alone")[0] == "0.865 / 0.420 (scale 0.1), ours 0.320"
    assert cells(nuclei, "ResUNet, teacher") == ["0.899 / –", "0.956 / –", "0.962 / –", "0.878 / –"]
    assert cells(objects, "NestedUNet, teacher")[0] == "n/a / –"
    assert cells(nuclei, "MobileNet, alone")[0] == "0.737* / –"
    assert cells(leaves, "MobileNet from ResUNet, Ours") == ["0.860 / –", "1.10 / –"]
    assert "not comparable with the published ones" in text
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
    parts = TABLES[number].parts
    expected = sum(len(part.rows) * len(part.columns) for part in parts) or 6  # Table I has times
    assert capsys.readouterr().out.count("/ –") == expected
    assert "not comparable" not in text
    if number == 1:
        assert cells(text, "ResUNet-tiny")[1:] == ["0.30 / 0.30", "5.76 / 5.62", "0.20 / –"]
    if number == 6:
        assert cells(text, "S1/10, Ours")[:2] == ["0.295", "5.62"]


def test_two_segmentations_have_columns_of_their_own(tmp_path: Path) -> None:
    fake(tmp_path, "table3-cremi-c-mala-tiny-graph", 0.5)
    table("3", runs=tmp_path, markdown=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text().partition("CREMI-C**")[2]
    assert text.strip().startswith("| row | waterz: VOI | waterz: ARAND | lmc: VOI | lmc: ARAND |")
    told = ["1.568 / 0.580", "0.125 / 0.610", "1.470 / 0.580", "0.102 / 0.610"]
    assert cells(text, "MALA-tiny from MALA, Ours") == told


def test_other_budgets_are_told(tmp_path: Path) -> None:
    for seed in (1, 2):
        fake(tmp_path, "table6-bbbc039-resunet-tiny-width-2-none", 0.5, seed=seed, spent=Spent(steps=20, batch=2))
    table("6", runs=tmp_path, markdown=tmp_path / "table.md")
    text = (tmp_path / "table.md").read_text().partition("in place of CVPPP**")[2]
    assert cells(text, "S1/20, alone")[3] == "n/a / 0.540 ± 0.000 (20 steps of 2)"


@pytest.mark.parametrize("number", ["0", "7", "VII", ""])
def test_there_is_no_such_table(number: str, capsys: Capture) -> None:
    with pytest.raises(UserError, match="unknown table"):
        table(number)
    assert main(["table", number]) == 2
    assert "known: 1, 2, 3" in capsys.readouterr().err


def test_markdown_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="got the folder"):
        table("1", markdown=tmp_path)
