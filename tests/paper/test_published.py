"""The published values are all there, each once, and the damaged ones say so."""

from __future__ import annotations

from collections import Counter

import pytest

from segraft.paper.published import NUMBERS, STATUSES, lines, published, values


def test_all_497_values_and_spreads_are_there() -> None:
    counts = {number: len(values(number)) for number in NUMBERS}
    assert counts == {1: 18, 2: 240, 3: 112, 4: 12, 5: 22, 6: 32}
    spreads = sum(each.spread is not None for each in values(1))
    weights = sum(name.startswith("lambda") for line in lines("table5") for name in line)
    assert sum(counts.values()) + spreads + weights == 497


def test_no_value_is_there_twice() -> None:
    for number in NUMBERS:
        told = Counter((each.metric, *each.keys.values()) for each in values(number))
        assert set(told.values()) == {1}


def test_damaged_cells_are_known_and_no_other_is() -> None:
    found: dict[str, list] = {name: [] for name in STATUSES}
    for number in NUMBERS:
        for each in values(number):
            found[each.status].append(each)
            assert (each.value is None) == (each.status == "missing")
            assert (each.status == "ok") == (each.remark == "")
    (missing,) = found["missing"]
    assert missing.keys == {"teacher": "NestedUNet", "student": "", "method": "teacher", "dataset": "C.elegans"}
    assert missing.metric == "AJI"
    assert [each.digits for each in found["reconstructed"]] == ["71.9", "0.548", "0.737"]
    assert {each.keys["student"] for each in found["reconstructed"]} == {"MobileNet"}
    assert len(found["unmerged"]) == 10
    assert {(each.keys["dataset"], each.keys["postprocessing"]) for each in found["unmerged"]} == {("AC3/4", "Waterz")}


def test_a_value_is_found_by_what_was_measured() -> None:
    ours = published(2, "SBD", teacher="ResUNet", student="MobileNet", method="Ours", dataset="CVPPP")
    assert (ours.digits, ours.value, ours.unit) == ("86.0", 86.0, "percent")
    assert ours.score == pytest.approx(0.86)
    assert published(4, "SBD", row="6").digits == published(5, "SBD", row="1").digits == ours.digits
    time = published(1, "inference_time", network="MALA")
    assert (time.value, time.spread, time.unit) == (53.5, 2.0, "s (whole test set)")
    narrow = published(6, "params_M", width_of_teacher="1/20", method="none")
    assert (narrow.value, narrow.unit) == (0.07, "M")
    assert published(3, "VOI", student="", dataset="AC3/4", postprocessing="LMC").score == 1.261
    with pytest.raises(KeyError, match="2 values of SBD"):
        published(6, "SBD", width_of_teacher="1/20")
    with pytest.raises(KeyError, match="0 values of PQ"):
        published(2, "PQ", dataset="CVPPP")


def test_the_same_experiment_has_the_same_value_in_every_table() -> None:
    for method in ("none", "Ours"):
        teacher = "" if method == "none" else "ResUNet"
        for metric in ("SBD", "|DiC|"):
            two = published(2, metric, teacher=teacher, student="ResUNet-tiny", method=method, dataset="CVPPP")
            assert published(6, metric, width_of_teacher="1/10", method=method).digits == two.digits


def test_words_of_figure_6() -> None:
    assert any("K = 32, L = 12" in line["statement"] for line in lines("fig6_words"))
