"""Results are written and found again; several seeds are averaged, scales are not mixed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from segraft.errors import UserError
from segraft.paper.results import Result, Spent, groups, measured, read, write


def result(aji: float, scale: float = 1.0, seed: int = 0, recipe: str = "a") -> Result:
    scores = {"ours": {"mutex": {"aji": aji}}, "paper": {"mutex": {"aji": aji + 0.1}}}
    images = {name: {"mutex": {"image": each["mutex"]}} for name, each in scores.items()}
    note = "" if scale == 1 else "smaller"
    return Result(recipe=recipe, scale=scale, seed=seed, note=note, scores=scores, images=images)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for folder, each in (("one", result(0.5)), ("two", result(0.25, 0.1))):
        (tmp_path / folder).mkdir()
        assert read(write(each, tmp_path / folder)) == each
        assert json.loads((tmp_path / folder / "scores.json").read_text())["comparable"] == each.comparable


def test_runs_of_different_budgets_share_no_mean(tmp_path: Path) -> None:
    long, short = (Spent(steps=steps, patch=(64, 64), batch=4, rate=1e-3, teacher="t") for steps in (2000, 20))
    spent = [long, long, short, replace(long, teacher="u"), replace(short, training="adopted"), None]
    spent.append(replace(short, cache=9))
    results = [replace(result(aji / 10, seed=aji), note="n", spent=each) for aji, each in enumerate(spent)]
    for number, each in enumerate(results):
        (tmp_path / str(number)).mkdir()
        assert read(write(each, tmp_path / str(number))) == each
    assert [[each.seed for each in group] for group in groups(results, "a")] == [[0, 1], [3], [2], [4], [6], [5]]
    assert str(measured(results, "a", "mutex", "aji")) == "0.050 ± 0.071 (2000 steps of 4 × 64×64)"
    assert str(measured(results[6:], "a", "mutex", "aji")) == "0.600 (20 steps of 4 × 64×64 from a pool of 9)"
    assert str(measured(results[4:6], "a", "mutex", "aji")) == "0.400 (20 steps of 4 × 64×64, adopted)"
    published = replace(results[5], note="", seed=9, spent=replace(short, rate=1e-4))
    assert groups([*results, published], "a")[0] == (published,), "the published experiment comes first"


def test_scores_are_averaged_over_seeds_of_the_largest_scale() -> None:
    results = [result(0.5, seed=1), result(0.7, seed=2), result(0.9, 0.1), result(0.1, recipe="b")]
    found = measured(results, "a", "mutex", "aji")
    assert found is not None
    assert (found.mean, found.spread) == (pytest.approx(0.6), pytest.approx(0.02**0.5))
    assert [each.seed for each in found.results] == [1, 2]
    assert str(found) == "0.600 ± 0.141"
    assert str(measured(results[2:], "a", "mutex", "aji")) == "0.900 (scale 0.1)"
    assert str(measured(results, "a", "mutex", "aji", "paper")) == "0.700 ± 0.141"
    assert measured(results, "a", "lmc", "aji") is None
    assert measured(results, "a", "mutex", "voi") is None
    assert measured(results, "c", "mutex", "aji") is None


def test_a_result_of_before_there_were_protocols_is_ours(tmp_path: Path) -> None:
    path = write(result(0.5), tmp_path)
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {name: values[name]["ours"] for name in ("scores", "images")}))
    found = read(path)
    assert found.scores == {"ours": {"mutex": {"aji": 0.5}}}
    assert found.images == {"ours": {"mutex": {"image": {"aji": 0.5}}}}
    assert measured([found], "a", "mutex", "aji", "paper") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"recipe": "a"}'])
def test_a_file_of_another_kind_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(UserError, match=r"scores\.json holds no scores of a recipe"):
        read(tmp_path / "scores.json")
