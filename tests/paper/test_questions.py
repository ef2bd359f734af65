"""Questions are sound: teachers come first, settings are valid, and what is said to vary is all that varies."""

from __future__ import annotations

import inspect
from itertools import product
from pathlib import Path

import pytest

from segraft.commands.asked import Asked
from segraft.data import DATASETS
from segraft.paper.questions import QUESTIONS, Question, Trial
from segraft.paper.questions.question import GIVEN
from segraft.paper.questions.terms import GRAPHS, PLACES
from segraft.settings import DistillSettings, TrainSettings
from segraft.weights import GRAPH_WEIGHTS

every = pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)


def settings_of(question: Question, trial: Trial, seed: int = 0) -> TrainSettings:
    return Asked(question, Path("out"), model=Path("model")).settings(trial, seed)


def trials(question: Question) -> dict[str, Trial]:
    return {trial.name: trial for trial in question.trials}


@every
def test_settings_are_valid_and_options_exist(question: Question) -> None:
    known = set(inspect.signature(DATASETS[question.settings["dataset"]]).parameters)
    assert set(question.test) <= known
    for condition in question.conditions:
        assert set(condition.options) <= known
    for trial in question.trials:
        if trial.unlabelled:
            continue  # whose files are listed
        settings = settings_of(question, trial)
        assert set(settings.options) <= known
        assert not settings.tune
        assert settings.device == "cpu"
    assert question.minutes <= 90
    assert question.images >= 16
    assert len(question.seeds) == 3
    assert trials(question).keys() == {trial.name for trial in question.trials}
    assert len(trials(question)) == len(question.trials)


@every
def test_teachers_and_students_alone_come_first_and_see_the_same(question: Question) -> None:
    names = list(trials(question))
    for place, trial in enumerate(question.trials):
        assert (trial.teacher is None) == (trial.alone is None)
        for other in {trial.teacher, trial.alone} - {None, GIVEN}:
            assert names.index(other or "") < place
            assert trials(question)[other or ""].teacher is None
        if trial.alone is None or trial.unlabelled:
            continue
        own, alone = (settings_of(question, each) for each in (trial, trials(question)[trial.alone]))
        assert isinstance(own, DistillSettings)
        assert own.method == "graph"
        for name in vars(alone):
            if name not in ("out", "weights"):
                assert getattr(own, name) == getattr(alone, name), f"{trial.name} differs from alone in {name}"
        if trial.teacher != GIVEN:
            teacher = settings_of(question, trials(question)[trial.teacher or ""])
            for name in ("dataset", "options", "dim", "offsets", "percentiles", "background", "seed"):
                assert getattr(teacher, name) == getattr(own, name)


@every
def test_seeds_draw_other_images_and_panels_name_what_there_is(question: Question) -> None:
    first = question.trials[0]
    one, two = (settings_of(question, first, seed) for seed in (0, 1))
    assert (one.options["seed"], two.options["seed"]) == (one.seed, two.seed) == (0, 1)
    assert one.out != two.out
    series = {trial.series for trial in question.trials}
    for panel in question.panels:
        if not question.drift:
            assert {*panel.series, *panel.levels} <= series
        assert {*panel.where} <= {"condition", *(name for trial in question.trials for name in trial.values)}


def test_scale_shrinks_steps_and_images_and_nothing_else() -> None:
    question = QUESTIONS["question-gap"]
    whole, part = (
        Asked(question, Path("out"), scale=scale).settings(trials(question)["distilled-7-from-16"], 2)
        for scale in (1.0, 0.1)
    )
    assert (whole.steps, part.steps) == (400, 40)
    assert (whole.options["count"], part.options["count"]) == (64, 7)
    shrunk = {"steps", "options", "warmup", "validate_every", "validation_images"}
    assert {name for name, value in vars(whole).items() if getattr(part, name) != value} == shrunk
    assert [Asked(question, Path("out"), scale=scale).images for scale in (1.0, 0.5, 0.01)] == [16, 8, 2]


def test_density_and_occlusion_vary_by_themselves() -> None:
    question = QUESTIONS["question-density"]
    middle = question.settings["options"]
    for condition in question.conditions:
        fixed = {"density": "occlusion", "occlusion": "density"}[condition.name]
        assert condition.options[fixed] == middle[fixed]
        assert condition.values == condition.options
    for name in ("density", "occlusion"):
        values = [each.values[name] for each in question.conditions if each.name == name]
        assert len(set(values)) == len(values) >= 6
        assert middle[name] in values


def test_the_gap_is_that_of_widths() -> None:
    question = QUESTIONS["question-gap"]
    taught = [trial for trial in question.trials if trial.teacher is not None]
    widths = {(trial.values["teacher_width"], trial.values["width"]) for trial in taught}
    assert widths == set(product((4, 8, 16), (2, 3, 4, 7)))
    for trial in taught:
        assert settings_of(question, trial).width == trial.values["width"]
        teacher = trials(question)[trial.teacher or ""]
        assert settings_of(question, teacher).width == trial.values["teacher_width"]


def test_without_the_bank_the_terms_across_images_are_off() -> None:
    question = QUESTIONS["question-memory"]
    kept, off = (settings_of(question, trials(question)[f"{name}-bank"]).term_weights() for name in ("with", "without"))
    assert {name for name in kept if kept[name] != off[name]} == {"inter_edge", "inter_affinity"}
    assert off["inter_edge"] == off["inter_affinity"] == 0
    assert all(lag % question.drift[0] == 0 for lag in question.drift)


def test_dimensions_are_those_of_teacher_and_student() -> None:
    question = QUESTIONS["question-dimension"]
    assert {trial.values["dim"] for trial in question.trials} == {4, 8, 16, 32, 64}
    assert all(settings_of(question, trial).dim == trial.values["dim"] for trial in question.trials)


def test_terms_are_on_where_they_belong() -> None:
    question = QUESTIONS["question-terms"]
    usual = settings_of(question, trials(question)["both-within-and-across"]).term_weights()
    on = {}
    for graph, place in product(GRAPHS, PLACES):
        own = settings_of(question, trials(question)[f"{graph}-{place.replace(' ', '-')}"]).term_weights()
        on[graph, place] = {name for name in GRAPH_WEIGHTS if own[name]}
        assert all(own[name] == usual[name] for name in on[graph, place])
    assert on["instance", "within"] == {"intra_node", "intra_edge"}
    assert on["instance", "across"] == {"inter_edge"}
    assert on["affinity", "within"] == {"intra_affinity"}
    assert on["affinity", "across"] == {"inter_affinity"}
    assert on["both", "within and across"] == set(GRAPH_WEIGHTS)
    for trial in question.trials:
        if trial.name.startswith("bank"):
            settings = settings_of(question, trial)
            assert isinstance(settings, DistillSettings)
            assert (settings.bank_size, settings.bank_samples) == (trial.values["K"], trial.values["L"])
            assert settings.term_weights() == usual
    assert max(int(trial.values.get("K", 0)) for trial in question.trials) >= question.settings["options"]["count"]


def test_few_labels_are_as_many_as_they_are_called() -> None:
    question = QUESTIONS["few-labels"]
    assert {trial.values["labels"] for trial in question.trials} == {5, 10, 20}
    for trial in question.trials:
        assert trial.settings["options"]["labelled"] == trial.values["labels"]
        assert trial.unlabelled == ("unlabelled" in trial.name)
        assert (trial.teacher == GIVEN) == trial.name.startswith("given")
    assert question.takes_model
