"""Answer a question: train what is missing, score it, draw what came of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

from segraft.commands.answer_scores import add_missing, complete
from segraft.commands.asked import PLOT, RESULTS, RUNS, Asked
from segraft.errors import UserError
from segraft.model import model_file
from segraft.paper.questions import Question
from segraft.paper.questions.printing import print_results
from segraft.paper.questions.question import Trial
from segraft.paper.questions.rows import Results
from segraft.reporting.figure_files import write_figure
from segraft.reporting.page import available
from segraft.settings import USUAL, TrainSettings
from segraft.training.attempts import finish, left_to_do
from segraft.training.side_by_side import finish_all

ENDINGS = (".svg", ".png")
Training = tuple[Trial, int]
"""A trial and its seed."""


def answer(question: Question, out: Path, **chosen: Any) -> Path:
    """Answer a question in the folder ``out/NAME``, which is returned; what is done there is not done again.

    Trains the trials that are missing, so many at once as there are cores; scores them on the test images; writes
    ``results.csv``, a row for each model, seed and condition, and ``plot.svg`` and ``plot.png``; prints means with
    their spread over seeds. ``chosen`` are ``root``, ``model``, ``seed``, ``device`` and the budget, of which only the
    scale applies.
    Raises ``UserError`` for what does not apply or is missing, and for a folder with results of another budget.
    """
    asked = _asked(question, out, chosen)
    asked.check()
    results = Results.read(question, asked.out / RESULTS)
    asked.record()
    _train(asked, results)
    add_missing(asked, results)
    _draw(results)
    print_results(results)
    print(f"Results: {results.path}", f"Plot: {results.path.with_name(PLOT)}.svg and .png", sep="\n", flush=True)
    return asked.out


def _asked(question: Question, out: Path, chosen: Mapping[str, Any]) -> Asked:
    """The question with what was chosen."""
    given = {name: value for name, value in chosen.items() if value not in (None, "auto")}
    allowed = (
        {"device", "scale"} | ({"root"} if question.data else set()) | ({"model"} if question.takes_model else set())
    )
    for name in given:
        if name not in allowed:
            raise UserError(
                f"{name}: got one for {question.name}, expected no options but {', '.join(sorted(allowed))}; omit it"
            )
    if not 0 < given.get("scale", 1.0) <= 1:
        raise UserError(f"scale: got {given['scale']}, expected more than 0 and at most 1; give 0.1 for example")
    root = given.get("root")
    if question.data is not None and (root is None or not Path(root).exists()):
        found = f"got none for {question.name}" if root is None else f"{root} does not exist"
        raise UserError(f"root: {found}, expected {question.data}; give it with --root")
    if not available():
        raise UserError(
            "a question needs matplotlib and jinja2; one is missing; run: pip install 'segraft[train,report]'"
        )
    model = given.get("model")
    if model is not None:
        _check_model(Path(model))
    return Asked(
        question,
        out / question.name,
        None if root is None else Path(root),
        None if model is None else Path(model),
        given.get("scale", 1.0),
        given.get("device", "cpu"),
    )


def _check_model(path: Path) -> None:
    """Refuse a model that the students cannot learn from, before hours of training."""
    network = model_file.read_config(path).network
    if (network.in_channels, network.dim) != (1, USUAL["dim"]):
        raise UserError(
            f"model: got {path} of {network.in_channels} channels with an embedding of {network.dim}, expected 1 and "
            f"{USUAL['dim']}, which the students have; give another"
        )


def _train(asked: Asked, results: Results) -> None:
    """Train what has neither results nor a finished run; teachers and students alone first."""
    wanted = [
        (trial, seed)
        for seed, trial in product(asked.question.seeds, asked.trials)
        if not complete(asked, results, trial, seed)
    ]
    taught = {(trial.teacher, seed) for trial, seed in wanted}
    every = list(product(asked.trials, asked.question.seeds))
    needed = [each for each in every if each in wanted or (each[0].name, each[1]) in taught]
    missing = {each: settings for each in needed if left_to_do(settings := asked.settings(*each)) is not None}
    done = len(every) - len(missing)
    print(
        f"{asked.question.name}: {len(every)} trainings, {done} done before; estimated {asked.question.minutes} "
        f"minutes in all at full scale, on two cores; {asked.out / RUNS}",
        flush=True,
    )
    for has_teacher in (False, True):
        stage = {each: settings for each, settings in missing.items() if (each[0].teacher is not None) == has_teacher}
        for watched in (False, True):
            part = {each: settings for each, settings in stage.items() if asked.watches(each[0]) == watched}
            _finish(asked, part, done, len(every))
            done += len(part)


def _finish(asked: Asked, part: Mapping[Training, TrainSettings], done: int, total: int) -> None:
    """Train a part of all; those that are watched one after the other, in this process."""
    named = {f"{trial.name}, seed {seed}": settings for (trial, seed), settings in part.items()}
    watched = any(asked.watches(trial) for trial, _ in part)
    if not watched:
        finish_all(named, (os.cpu_count() or 1) if asked.device == "cpu" else 1, done, total)
        return
    from segraft.training.gram_probe import GramProbe, grams_file

    every = asked.shrunk(asked.question.drift[0], 1)
    finish_all(named, 1, done, total, lambda each: finish(each, [GramProbe(grams_file(each.out), every)]))


def _draw(results: Results) -> None:
    """Draw the plot from all results."""
    from segraft.reporting.answers import draw_answers

    figure = draw_answers(results)
    for ending in ENDINGS:
        write_figure(figure, results.path.with_name(PLOT + ending), results.question.asks, ())
