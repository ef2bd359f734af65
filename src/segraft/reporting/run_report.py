"""The page about one run, in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from segraft.data import open_dataset
from segraft.data.centres import centres
from segraft.errors import UserError
from segraft.networks import EXTENTS
from segraft.reporting.page import PICTURES, Shown, write_report
from segraft.reporting.view import COMPUTED
from segraft.run_folder import RunFolder
from segraft.types import Sample


def write_run_report(path: Path, run: Shown | None = None, samples: Sequence[Sample] | None = None) -> Path:
    """Write ``report.html`` of a run into its folder and return its path.

    Scores are those of the validation that chose the model. Pictures are of validation images, and left out where those
    cannot be read any more. ``run`` and ``samples``, where the caller has them, are loaded and read otherwise.
    Raises ``UserError`` as ``write_report``.
    """
    folder = RunFolder(Path(path))
    best = folder.best_validation()
    run = Shown.of(folder.path) if run is None else run
    return write_report(
        folder.path,
        {folder.name: [run]},
        _validation_samples(folder) if samples is None else samples,
        {folder.name: [best["val"]]} if best else {},
        _sizes(folder.name, run),
        score=folder.monitor(),
        title=f"Run {folder.name}",
        scored=f"the validation images, with the model kept from step {best['step']}" if best else "",
    )


def _validation_samples(folder: RunFolder) -> Sequence[Sample]:
    """The first validation images of a run."""
    data = folder.data()
    try:
        samples = centres(open_dataset(data.name, data.root, "val", **data.options), COMPUTED)
        return [samples[index] for index in range(min(PICTURES, len(samples)))]
    except UserError:
        return []  # a report can do without pictures; the run may come from another machine


def _sizes(name: str, run: Shown) -> dict[str, dict[str, str]]:
    """Parameters and multiply-adds of a run's network, as rows of the page."""
    extent = EXTENTS[run.model.geometry.ndim]
    parameters, macs = run.model.runner.complexity(run.model.geometry.input_size(extent))
    return {
        "parameters": {name: f"{parameters:,}"},
        f"multiply-adds ({' × '.join(map(str, extent))})": {name: f"{macs / 1e9:.3g} G"},
    }
