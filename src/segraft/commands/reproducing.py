"""Do what an order says: train a recipe, or adopt a model for it; score; write; print."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from segraft.commands.adopting import adopted
from segraft.commands.orders import ADOPTED, Order, teacher_of
from segraft.commands.recipe_scores import remove_partial, score
from segraft.errors import UserError
from segraft.files import digest
from segraft.metrics.scoring import summarise
from segraft.model.hardware import hardware
from segraft.model.model_file import locate
from segraft.paper import Recipe
from segraft.paper.budget import Budget, differences
from segraft.paper.printing import compared
from segraft.paper.results import Result, Spent, read, write
from segraft.run_folder import RunFolder
from segraft.settings import DistillSettings, TrainSettings
from segraft.terminal.tables import print_table
from segraft.training.attempts import finish


def reproduce(chosen: Recipe, order: Order) -> Path:
    """Train, score, write, print; the teacher first, if it is neither done nor adopted. Return the run folder.

    Raises ``UserError`` as the training, and where the folder holds something else.
    """
    if order.needs_teacher(chosen):
        reproduce(teacher_of(chosen), order.of_teacher())
    settings = order.settings(chosen)
    differs = differences(settings, chosen)
    scaled = order.budget.scale
    before = f"scaled by {scaled:g}" if scaled != 1 else "another budget"
    note = _note(before, differs)
    heading = f"{chosen.name}: {settings.steps} steps, run folder {settings.out}"
    print(*filter(None, (heading, note)), sep="\n", flush=True)
    finish(settings)
    teacher = None if chosen.teacher is None else digest(locate(order.teacher_folder(chosen)))
    result = {
        "scale": scaled,
        "seed": settings.seed,
        "note": note,
        "differs": tuple(differs),
        "spent": _spent(settings, order.budget, teacher),
        "command": order.command(chosen),
    }
    return _finish(chosen, order, settings.out, result)


def adopt(chosen: Recipe, order: Order, source: str | Path) -> Path:
    """Take a model trained elsewhere as a recipe's run: copy it into the run folder, score, write, print.

    Raises ``UserError`` where the model cannot be the recipe's, with a budget, for it has its own, and where the run
    folder is there and is not to be resumed, or holds another model.
    """
    if order.budget.told:
        raise UserError(f"model: got a model with {', '.join(order.budget.told)}, expected no budget; omit it")
    model = adopted(source, chosen, order.seed)
    folder = order.out / f"{chosen.name}{ADOPTED}{model.ending()}"
    if folder.exists() and not order.resume:
        raise UserError(f"{folder} is there already, expected a new run; add --resume, or choose another --out")
    if RunFolder(folder).model.exists() and digest(locate(folder)) != digest(locate(source)):
        raise UserError(f"{folder} holds another model than {source}, expected the same; choose another --out")
    differs = model.differs(chosen)
    note = _note("trained elsewhere", differs)
    print(f"{chosen.name}: {source}, run folder {folder}", note, sep="\n", flush=True)
    model.copy(folder)
    result = {
        "scale": 1.0,
        "seed": model.seed,
        "note": note,
        "differs": tuple(differs),
        "spent": model.spent(None),
        "adopted": str(source),
        "command": order.command(chosen, model=source),
    }
    return _finish(chosen, order, folder, result)


def _finish(chosen: Recipe, order: Order, folder: Path, result: dict[str, Any]) -> Path:
    """Score a trained recipe unless its scores are there, write them, and print them beside the published ones."""
    path = RunFolder(folder).scores
    done = read(path) if path.exists() else None
    if done is None or done.group != (result["scale"], result["spent"]):
        begun = time.perf_counter()
        images = score(chosen, folder, order.root, order.device)
        seconds = {"training": _trained(folder), "scoring": round(time.perf_counter() - begun, 3)}
        means = {
            protocol: {name: summarise(list(each.values())) for name, each in by_segmentation.items()}
            for protocol, by_segmentation in images.items()
        }
        where = hardware(order.device)
        done = Result(recipe=chosen.name, scores=means, images=images, hardware=where, seconds=seconds, **result)
        write(done, folder)
        remove_partial(chosen, folder)
    print_table(compared(chosen, done))
    print(*filter(None, (done.note, f"Scores: {path}")), sep="\n", flush=True)
    return folder


def _note(before: str, differs: list[str]) -> str:
    """What differs from the published experiment, in one line; nothing where nothing does."""
    return f"{before}: not comparable with the published figure ({', '.join(differs)})" if differs else ""


def _spent(settings: TrainSettings, budget: Budget, teacher: str | None) -> Spent:
    """What a training costs, by which results are grouped."""
    return Spent(
        training=budget.training,
        steps=settings.steps,
        patch=settings.patch,
        batch=settings.batch,
        rate=settings.rate,
        filters=settings.filters,
        cache=settings.cache if isinstance(settings, DistillSettings) else None,
        teacher=teacher,
    )


def _trained(folder: Path) -> float | None:
    """Seconds that training took, all its parts together; None where the folder has no metrics."""
    if not RunFolder(folder).metrics.exists():
        return None
    history = RunFolder(folder).history()
    return history[-1]["seconds"] if history else None
