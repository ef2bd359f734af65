"""Parts and rows of a table that are asked for."""

from __future__ import annotations

import pytest

from segraft.errors import UserError
from segraft.paper import TABLES
from segraft.paper.selection import Selection


def test_everything_by_default() -> None:
    for number in (2, 3, 4, 5, 6):
        assert Selection().parts(number) == TABLES[number].parts


@pytest.mark.parametrize("name", ["bbbc039", "BBBC039V1"])
def test_a_data_set_by_its_names(name: str) -> None:
    (part,) = Selection(datasets=[name]).parts(2)
    assert (part.name, len(part.rows)) == ("bbbc039", 24)


def test_a_reader_names_several_parts() -> None:
    assert [part.name for part in Selection(["cremi"]).parts(3)] == ["cremi-a", "cremi-b", "cremi-c", "fib25"]


def test_what_a_row_is_compared_with_comes_along() -> None:
    (part,) = Selection(["bbbc039"], rows=["resunet-tiny from resunet"], methods=["graph", "at"]).parts(2)
    assert list(part.rows) == [
        "ResUNet, teacher",
        "ResUNet-tiny, alone",
        "ResUNet-tiny from ResUNet, AT",
        "ResUNet-tiny from ResUNet, Ours",
    ]
    (part,) = Selection(["bbbc039"], methods=["teacher"]).parts(2)
    assert list(part.rows) == ["ResUNet, teacher", "NestedUNet, teacher"]
    (part,) = Selection(["bbbc039"], rows=["S1/20, Ours"]).parts(6)
    assert list(part.rows) == ["S1/20, alone", "S1/20, Ours"], "its teacher is in another table"
    (part,) = Selection(["cvppp"], rows=["table4-cvppp-mobilenet-row-3"]).parts(4)
    assert [label[:2] for label in part.rows] == ["1:", "3:"]


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(["bbbc03"]), "unknown data set of the table 'bbbc03'; known: cvppp, .*did you mean 'bbbc039'"),
        (Selection(["fib25"]), "unknown data set of the table 'fib25'"),
        (Selection(methods=["kd"]), "unknown method 'kd'; known: teacher, none, at"),
        (Selection(rows=["VGG"]), "rows: got 'VGG', expected a part of one of ResUNet, teacher; "),
        (Selection(rows=["ResUNet, teacher"], methods=["at"]), "got no row with all that is chosen"),
    ],
)
def test_what_the_table_does_not_have(selection: Selection, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        selection.parts(2)
    assert "\n" not in str(caught.value)
