"""Run a recipe: its teacher, its training, its scores on the test images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segraft.commands.answering import answer
from segraft.commands.orders import Order
from segraft.commands.reproducing import adopt, reproduce
from segraft.errors import UserError, choose
from segraft.paper import RECIPES, Recipe
from segraft.paper.budget import Budget
from segraft.paper.printing import listing
from segraft.paper.questions import QUESTIONS, Question
from segraft.paper.questions.printing import listing as questions


def recipe(
    name: str | None = None,
    *,
    root: str | Path | None = None,
    out: str | Path = "runs",
    model: str | Path | None = None,
    seed: int | None = None,
    device: str = "auto",
    resume: bool = False,
    **budget: Any,
) -> Path | None:
    """Repeat a published experiment, or answer a question that it leaves open; without a name, list both.

    Of an experiment trains the recipe's teacher first, unless its scores are in ``out`` already or a model was adopted
    for it; then what the recipe says; segments and scores the test images; prints the scores beside the published ones;
    writes ``scores.json`` into the run folder, ``out/NAME``, which is returned. Other budgets and seeds have folders of
    their own, ``out/NAME-scale-0.1-seed-3``; a teacher that is trained has its recipe's seed.

    A question, ``question-gap`` for example, has ``out/NAME`` to itself, for ``results.csv``, plots and its trainings,
    of several seeds. Of the options it takes ``scale`` and ``device``, by default the CPU; ``few-labels`` also ``root``
    and a ``model`` to learn from. It goes on with what is there.

    Parameters
    ----------
    name : the recipe's name, or the question's
    root : folder of the data set
    out : folder for the runs
    model : run folder or model file that was trained elsewhere, to be taken as the recipe's run: it is checked, copied
        into ``out/NAME-adopted-...`` and scored; that of a teacher is the teacher of all its students from then on
    seed : of the training, in place of the recipe's
    device : where to train: auto, cpu, cuda or mps
    resume : go on with a run that was interrupted
    budget : what trainings spend, by name: scale, steps, patch, batch, rate, teacher_width, cache and training

    Raises
    ------
    UserError : an unknown name, a budget out of range, a model that cannot be the recipe's, no data, or a run folder
        that is there without ``resume``
    """
    if name is None:
        listing()
        questions()
        return None
    known: dict[str, Recipe | Question] = {**RECIPES, **QUESTIONS}
    chosen = choose("recipe", name, known)
    if isinstance(chosen, Question):
        return answer(chosen, Path(out), root=root, model=model, seed=seed, device=device, **budget)
    if root is None or not Path(root).exists():
        found = f"got none for the recipe {name}" if root is None else f"{root} does not exist"
        raise UserError(f"root: {found}, expected the folder of {chosen.settings.dataset}; give it with --root")
    spending = Budget.of(budget)
    order = Order(Path(root), Path(out), spending, seed, device, resume)
    if model is not None:
        return adopt(chosen, order, model)
    order.check(chosen)
    return reproduce(chosen, order)
