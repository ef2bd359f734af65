"""Plots of answers: means with spread over seeds, points, levels and words; what is not measured is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from segraft.paper.questions.question import Panel, Question, Trial
from segraft.paper.questions.rows import Results, Row
from segraft.reporting.answers import draw_answers

QUESTION = Question(name="question", asks="?", minutes=1, settings={}, trials=(Trial(name="a", series="a"),), panels=())


def drawn(*panels: Panel) -> Figure:
    rows: list[Row] = [
        {"series": series, "x": x, "word": word, "aji": start + x / 100 + seed / 10}
        for series, start in (("one", 0.2), ("two", 0.4))
        for x, word in ((4, "few"), (8, "some"), (64, "many"))
        for seed in (0, 1)
    ]
    rows += [{"series": "level", "aji": 0.9}, {"series": "level", "aji": 0.7}]
    return draw_answers(Results(replace(QUESTION, panels=panels), Path("none.csv"), rows))


def panel(x: str = "x", **further: object) -> Panel:
    return Panel(title="title", x=x, xlabel="the x", ylabel="the y", **further)  # type: ignore[arg-type]


def test_means_with_spread_and_levels() -> None:
    (axes,) = drawn(panel(levels=("level",), log=True)).axes
    handles, labels = axes.get_legend_handles_labels()
    assert labels == ["level", "one", "two"]
    (one,) = (handle for handle, label in zip(handles, labels, strict=True) if label == "one")
    line, _, (bars,) = one.lines
    assert line.get_xydata().ravel().tolist() == pytest.approx([4, 0.29, 8, 0.33, 64, 0.89])
    (low, high), *_ = (segment[:, 1].tolist() for segment in bars.get_segments())
    assert high - low == pytest.approx(2 * 0.1 / 2**0.5)
    assert handles[0].get_ydata()[0] == pytest.approx(0.8)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title(loc="left")) == ("the x", "the y", "title")
    assert axes.get_xscale() == "log"
    assert axes.get_xticks().tolist() == [4, 8, 64]


def test_points_are_not_averaged() -> None:
    (axes,) = drawn(panel(points=True, series=("two",))).axes
    (line,) = axes.get_lines()
    assert len(line.get_xdata()) == 6
    assert line.get_linestyle() == "None"


def test_words_stand_apart_and_are_not_joined() -> None:
    (axes,) = drawn(panel(x="word")).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["few", "some", "many"]
    handles, labels = axes.get_legend_handles_labels()
    lines = [handle.lines[0] for handle in handles]
    assert labels == ["one", "two"]
    assert all(line.get_linestyle() == "None" for line in lines)
    assert lines[0].get_xdata()[0] < 0 < lines[1].get_xdata()[0]


def test_a_series_looks_alike_in_all_panels_and_missing_ones_are_said() -> None:
    first, second, third = drawn(panel(), panel(series=("two",)), panel(x="nothing")).axes
    looks = [
        {label: handle.lines[0].get_color() for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        for axes in (first, second)
    ]
    assert looks[0]["two"] == looks[1]["two"] != looks[0]["one"]
    assert [text.get_text() for text in third.texts] == ["not measured"]
