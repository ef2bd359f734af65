"""Costs are counted from the networks, the teacher's passes included."""

from __future__ import annotations

import pytest

from segraft.networks import complexity, create_network
from segraft.paper import RECIPES
from segraft.paper.cost import bank_memory, cost, size, size_of
from segraft.paper.networks import NETWORK_ROWS


def test_a_student_alone_and_distilled() -> None:
    student = complexity(create_network("resunet-tiny", 3), (1, 3, 544, 544))
    teacher = complexity(create_network("resunet", 3), (1, 3, 544, 544))
    alone, distilled = (cost(RECIPES[f"table2-cvppp-resunet-tiny-{method}"]) for method in ("none", "graph"))
    assert alone.params == distilled.params == student[0]
    assert alone.macs == 300_000 * 2 * 3 * student[1]
    assert distilled.macs == alone.macs + 300_000 * 2 * teacher[1]


def test_widths_of_table_6_have_the_papers_sizes() -> None:
    wanted = {2: (0.0747, 1.43), 3: (0.1670, 3.18), 7: (0.9030, 17.08)}
    for width, (params, macs) in wanted.items():
        found = size(RECIPES[f"table6-cvppp-resunet-tiny-width-{width}-graph"])
        assert found[0] / 1e6 == pytest.approx(params, rel=0.01)
        assert found[1] / 1e9 == pytest.approx(macs, rel=0.01)


def test_table_1_is_counted_as_the_paper_counts_it() -> None:
    for row in NETWORK_ROWS:
        params, macs = size_of(row)
        told = row.published("params").value, row.published("flops").value
        loose = {"MobileNet": 1.2, "NestedUNet": 0.01}.get(row.title, 0.025)  # docs/differences.md says why
        assert params / 1e6 == pytest.approx(told[0], rel=loose)
        assert macs / 1e9 == pytest.approx(told[1], rel=loose)
    assert [row.role for row in NETWORK_ROWS] == ["teacher"] * 3 + ["student"] * 3


def test_the_memory_bank_grows_with_k_and_not_with_l() -> None:
    def memory(ending: str) -> tuple[int, int]:
        found = bank_memory(RECIPES[f"fig6-cvppp-mobilenet-{ending}"].settings)
        assert found is not None
        return found

    ours, published = memory("k-8")
    assert ours == 8 * 2 * 16 * 16 * 4
    assert published == 8 * (16 + 1) * 544 * 544 * 4
    assert memory("k-64") == (8 * ours, 8 * published)
    assert memory("l-4") == memory("l-16") == (4 * ours, 4 * published)
    assert bank_memory(RECIPES["table2-cvppp-resunet-tiny-at"].settings) is None
