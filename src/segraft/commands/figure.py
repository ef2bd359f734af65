"""Draw a figure of the paper from what was measured here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segraft.commands.contenders import Wanted, cast_of, named_models
from segraft.commands.figure_memory import memory_figure
from segraft.commands.figure_rows import embedding_rows, segmentation_rows, volume_rows
from segraft.commands.orders import Order
from segraft.data import open_dataset
from segraft.errors import UserError, choose
from segraft.paper.budget import Budget
from segraft.paper.figures import DRAWINGS
from segraft.paper.printing import ROMAN
from segraft.reporting.figure_files import check_file, write_figure
from segraft.reporting.page import available

ROWS = {2: segmentation_rows, 3: segmentation_rows, 4: volume_rows, 5: embedding_rows}
"""What draws the figures of images."""
MEMORY = 6


def figure(
    number: str,
    *,
    runs: str | Path | None = None,
    model: Sequence[str] = (),
    dataset: str | None = None,
    root: str | Path | None = None,
    split: str = "test",
    options: dict[str, Any] | None = None,
    images: int | None = None,
    out: str | Path | None = None,
    run: bool = False,
    seed: int | None = None,
    device: str = "auto",
    **budget: Any,
) -> Path:
    """Draw a figure of the paper from the recipes' runs, or from models trained otherwise, and print its caption.

    Of several runs of a recipe the first of the best budget is taken; the caption names it. Methods without a run are
    named and left out.

    Parameters
    ----------
    number : of the figure, 2 to 6 or II to VI: 2 and 3 segmentations with splits and merges, 4 neurons in 3-D, 5
        embeddings, 6 the memory bank
    runs : folder of the recipes' runs; by default runs, or none where models are given
    model : models that were trained otherwise, as NAME=FILE; the names teacher, alone, at, spkd, rekd, biskd and graph
        have columns of their own, and replace the recipes' runs
    dataset : the images; by default those of the runs
    root : folder of the data set; by default that of the runs
    split : train, val or test
    options : of the data set's reader, by name
    images : how many are drawn, by default 3 images or one volume
    out : file to write: png, svg or html, a page with the caption; by default figure2.png and so on
    run : train what is missing first, as segraft recipe does, with its budget and seed; stopped and given again it
        goes on
    seed : of the training, in place of the recipe's
    device : auto, cpu, cuda or mps
    budget : what trainings spend, by name: scale, steps, patch, batch, rate, teacher_width, cache and training

    Raises
    ------
    UserError : there is no such figure, no run or model of its data, a model does not fit, the data or a file cannot be
        read, the figure cannot be written, or matplotlib is missing
    """
    known = {str(value): value for value in DRAWINGS} | {name: value for name, value in ROMAN.items() if value > 1}
    chosen = choose("figure", str(number).upper(), known)
    path = Path(f"figure{chosen}.png" if out is None else out)
    check_file(path)
    if not available():
        raise UserError("a figure needs matplotlib and jinja2; one is missing; run: pip install 'segraft[report]'")
    if images is not None and images < 1:
        raise UserError(f"images: got {images}, expected 1 or more")
    spending = Budget.of(budget)
    folder = Path("runs") if runs is None and (run or not model) else Path(runs) if runs is not None else None
    wanted = Wanted(folder, named_models(model), dataset, None if root is None else Path(root), options, device)
    order = _order(wanted, spending, seed) if run else None
    _no_budget_without_run(spending, seed, run)
    title = f"Figure {chosen}: {DRAWINGS[chosen].title}"
    drawn, caption = memory_figure(wanted, order) if chosen == MEMORY else _images(chosen, wanted, order, split, images)
    write_figure(drawn, path, title, caption)
    print(title, *caption, f"Figure: {path}", sep="\n")
    return path


def _order(wanted: Wanted, budget: Budget, seed: int | None) -> Order:
    """How missing runs are made."""
    if wanted.root is None or not wanted.root.exists():
        found = "got none" if wanted.root is None else f"{wanted.root} does not exist"
        raise UserError(f"root: {found} to train what is missing, expected the folder of the data set; give --root")
    assert wanted.runs is not None
    return Order(wanted.root, wanted.runs, budget, seed, wanted.device, resume=True)


def _no_budget_without_run(budget: Budget, seed: int | None, run: bool) -> None:
    told = [*budget.told, *(["seed"] if seed is not None else [])]
    if told and not run:
        raise UserError(
            f"{told[0]}: got one without --run, expected none, for nothing is trained; add --run or omit it"
        )


def _images(number: int, wanted: Wanted, order: Order | None, split: str, images: int | None) -> tuple[Any, list[str]]:
    """A figure of images and its caption."""
    from segraft.reporting.panels import draw_panels

    drawing = DRAWINGS[number]
    cast = cast_of(number, drawing, wanted, order)
    samples = open_dataset(cast.dataset, cast.root, split, **cast.options)
    if not len(samples):
        raise UserError(
            f"dataset: got no image of {cast.dataset} ({split}), expected one at least; choose another split"
        )
    ndim = samples[0].image.ndim - 1
    if ndim != drawing.ndim:
        other = "4" if ndim == 3 else "2, 3 or 5"
        raise UserError(
            f"dataset: got {ndim}-D images of {cast.dataset}, expected {drawing.ndim}-D for figure {number}; "
            f"draw figure {other}"
        )
    rows, columns, legend, lines = ROWS[number](samples, cast.contenders, images or drawing.images)
    data = f"Data: {cast.dataset}, split {split}, {len(samples)} images."
    return draw_panels(rows, columns, legend), [*lines, data, *cast.notes]
