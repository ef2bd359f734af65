"""Which runs are seeds of one model, and what it is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segraft.reporting.groups import grouped


def a_run(seed: int | None = 0, **settings: object) -> dict[str, object]:
    return {"network": "resunet-tiny", "steps": 20, "seed": seed, **settings}


def test_runs_that_differ_by_seed_and_place_are_one_model() -> None:
    runs = {
        "teacher": a_run(network="resunet"),
        "alone-0": a_run(0, out="runs/alone-0", device="cuda", threads=8),
        "graph-0": a_run(0, method="graph"),
        "alone-1": a_run(1, out="runs/alone-1", device="cpu"),
        "graph-2": a_run(2, method="graph"),
    }
    assert grouped(runs) == {
        "teacher": ["teacher"],
        "alone": ["alone-0", "alone-1"],
        "graph": ["graph-0", "graph-2"],
    }


def test_names_lose_what_belongs_to_the_seed() -> None:
    for names in (("run-10", "run-11"), ("run_seed1", "run_seed2"), ("run 0", "run 1"), ("run3", "run4")):
        assert list(grouped({name: a_run(seed) for seed, name in enumerate(names)})) == ["run"]
    assert list(grouped({"unet16-0": a_run(0), "unet16-1": a_run(1)})) == ["unet16"]
    assert list(grouped({"monday": a_run(0), "tuesday": a_run(1)})) == ["monday"]
    assert list(grouped({"0": a_run(0), "1": a_run(1)})) == ["0"]


def test_a_second_run_of_the_same_seed_is_another_model() -> None:
    assert grouped({"plain": a_run(0), "tuned": a_run(0)}) == {"plain": ["plain"], "tuned": ["tuned"]}
    assert len(grouped({"one": a_run(None), "two": a_run(None)})) == 2


def test_names_stay_different() -> None:
    runs = {"run-0": a_run(0), "run-1": a_run(1), "run": a_run(0, steps=9), "run-2": a_run(0, steps=7)}
    assert grouped(runs) == {"run-0": ["run-0", "run-1"], "run": ["run"], "run-2": ["run-2"]}
    runs = {"run-0": a_run(0), "run-1": a_run(1), "run-8": a_run(0, steps=9), "run-9": a_run(1, steps=9)}
    assert grouped(runs) == {"run": ["run-0", "run-1"], "run-8": ["run-8", "run-9"]}


@given(
    st.dictionaries(
        st.text("ab-_ 01", min_size=1, max_size=5),
        st.builds(a_run, st.sampled_from([0, 1, 2, None]), steps=st.integers(0, 2)),
        max_size=8,
    )
)
def test_every_run_is_in_one_group(runs: dict[str, dict[str, object]]) -> None:
    groups = grouped(runs)
    assert sorted(run for of_model in groups.values() for run in of_model) == sorted(runs)
    for name, of_model in groups.items():
        assert len({runs[run]["steps"] for run in of_model}) == 1
        assert len({runs[run]["seed"] for run in of_model}) == len(of_model)
        assert name not in runs or name in of_model
