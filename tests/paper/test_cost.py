"""Costs are counted from the networks, the teacher's passes included."""

from __future__ import annotations

import pytest

from segraft.networks import complexity, create_network
from segraft.paper import RECIPES
from segraft.paper.cost import cost, size


def test_a_student_alone_and_distilled() -> None:
    student = complexity(create_network("resunet-tiny", 3), (1, 3, 544, 544))
    teacher = complexity(create_network("resunet", 3), (1, 3, 544, 544))
    alone, distilled = (cost(RECIPES[f"table1-cvppp-resunet-tiny-{method}"]) for method in ("none", "graph"))
    assert alone.params == distilled.params == student[0]
    assert alone.macs == 300_000 * 2 * 3 * student[1]
    assert distilled.macs == alone.macs + 300_000 * 2 * teacher[1]


def test_widths_of_table_6_have_the_papers_sizes() -> None:
    wanted = {2: (0.0747, 1.43), 3: (0.1670, 3.18), 7: (0.9030, 17.08)}
    for width, (params, macs) in wanted.items():
        found = size(RECIPES[f"table6-cvppp-resunet-tiny-width-{width}-graph"])
        assert found[0] / 1e6 == pytest.approx(params, rel=0.01)
        assert found[1] / 1e9 == pytest.approx(macs, rel=0.01)
