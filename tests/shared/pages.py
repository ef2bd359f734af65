"""A page about a teacher and two seeds of a student, with everything on it."""

from __future__ import annotations

from pathlib import Path

from segraft.data import open_dataset
from segraft.metrics.scoring import evaluate, summarise
from segraft.reporting.page import Shown, write_report
from segraft.types import Sample
from shared.run_folders import make_run

LONG = "student-" + "-".join(["with-a-name"] * 6)
"""A name without a space, longer than a phone is wide."""


def samples(count: int = 2) -> list[Sample]:
    generated = open_dataset("synthetic", None, "test", count=count, size=(64, 64))
    return [Sample(sample.image, sample.labels, f"cell <{k}>") for k, sample in enumerate(generated)]


Costs = list[dict[str, float | None]]


def a_page(tmp_path: Path, student: str = "student", costly: Costs | None = None, **options: object) -> Path:
    """Write the page; the student's AJI is 0.5 and 0.7, in every other score it equals the teacher.

    It costs less in everything, or what ``costly`` says.
    """
    runs = {"teacher": ["teacher"], student: ["student-0", "student-1"]}
    models = {
        name: [Shown.of(make_run(tmp_path / run, seed=seed)) for seed, run in enumerate(of_model)]
        for name, of_model in runs.items()
    }
    perfect = summarise([evaluate(sample.labels, sample.labels) for sample in samples()])
    scores = {"teacher": [perfect], student: [perfect | {"aji": 0.5}, perfect | {"aji": 0.7}]}
    costs = {"parameters": {"teacher": "12,345", student: "678 (1/18.2)"}}
    measured = {"teacher": [a_cost(12_345, 0.9)], student: costly or [a_cost(678, 0.01), a_cost(678, 0.02)]}
    return write_report(tmp_path / "out", models, samples(), scores, costs, measured=measured, **options)


def a_cost(parameters: int, seconds: float | None) -> dict[str, float | None]:
    """What a run costs, as far as the page's picture shows it."""
    return {"parameters": parameters, "macs": 1000 * parameters, "file": 4 * parameters + 500, "total": seconds}
