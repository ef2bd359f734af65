"""Training: a teacher, a student on labels alone, and a student distilled from a teacher."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from segraft.data import open_dataset
from segraft.data.masks import check_told
from segraft.errors import UserError
from segraft.images.voxel_size import alike, in_nm
from segraft.labels.masks import Masks
from segraft.model import checkpoint
from segraft.model.model import Model, load
from segraft.model.torch_runner import TorchRunner, find_device
from segraft.networks.contract import set_prior
from segraft.reporting import page
from segraft.reporting.page import PICTURES, Shown
from segraft.reporting.run_report import write_run_report
from segraft.reporting.view import View
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings, required
from segraft.training.building import Trainee, new_distiller, new_trainee
from segraft.training.patches import Patches
from segraft.training.recorded import complete

try:
    from segraft.training.callbacks import Recorder
    from segraft.training.interruption import interruptible
    from segraft.training.module import TrainingModule
    from segraft.training.opening import checkpoint_to_resume, record_settings
    from segraft.training.trainer import new_trainer, quiet
    from segraft.training.validation import Validation, open_validation
except ImportError as error:
    raise UserError(f"training is not installed ({error}); expected it; run: pip install 'segraft[train]'") from error

SMALLEST = 10
"""Pixels below which a segment of an image counts as a fragment: real small objects survive."""
FRAGMENT = 0.05
"""Part of the median object's size below which a segment of a volume does."""


def run(settings: TrainSettings) -> Model:
    """Train as the settings say, from the beginning or from the run folder's last checkpoint; return the best model.

    Raises ``UserError`` for settings that cannot work, and ``Stopped`` after Ctrl-C.
    """
    settings = complete(settings)
    last = checkpoint_to_resume(settings)
    samples = open_dataset(settings.dataset, settings.root, "train", **settings.options)
    trainee = new_trainee(settings, samples[0])
    patches = _patches(settings, samples, trainee)
    _check_masks(patches.masks, settings)
    _compare(patches.pixel_sizes)
    if settings.init is None:
        set_prior(trainee.network, patches.foreground_share())
    if settings.minimum_size is None:
        pixels = SMALLEST if trainee.network.ndim == 2 else round(patches.median_size() * FRAGMENT)
        trainee = trainee.with_minimum_size(pixels)
    trainee = trainee.with_ranges(patches.ranges())
    model = Model(TorchRunner(trainee.network), trainee.config)
    validation = open_validation(settings, model, PICTURES if page.available() else 0)
    best = BestModel(trainee, RunFolder(settings.out), validation)
    module = TrainingModule(
        trainee.network, trainee.config.offsets, settings, patches, *new_distiller(settings, trainee)
    )
    recorder = Recorder(settings, lambda: validation.run(model), best.keep)
    trainer = new_trainer(settings, recorder)
    record_settings(settings)
    with interruptible(recorder), quiet():
        trainer.fit(module, ckpt_path=last, weights_only=True)
    found = best.model(settings.device)
    if trainer.is_global_zero:
        if page.available():
            _report(best, found)
        print(_summary(settings, recorder, trainer.global_step))
    return found


def _check_masks(masks: Masks, settings: TrainSettings) -> None:
    """Refuse masks of which no objects can be learnt."""
    if masks.images and not masks.objects:
        raise UserError(
            f"masks of {settings.dataset}: got {masks.images} for training, none with an object, expected a number "
            "above 0 for each; check that they were exported with their values"
        )
    check_told(masks, settings.dataset, settings.options)


def _compare(sizes: dict[tuple[float, ...], str]) -> None:
    """Tell of training images whose pixels differ in size: what is learnt on one is not found on the other."""
    if not sizes:
        return
    first = next(iter(sizes))
    other = max(sizes, key=lambda size: max(max(a / b, b / a) for a, b in zip(size, first, strict=True)))
    if not alike(first, other):
        print(
            f"pixel sizes differ: {in_nm(first)} ({sizes[first]}), {in_nm(other)} ({sizes[other]}), and all are taken "
            f"for {in_nm(first)}; resize the images to one size; predict brings others to it with --voxel-size",
            file=sys.stderr,
        )


def _patches(settings: TrainSettings, samples: Sequence, trainee: Trainee) -> Patches:
    """The training patches."""
    return Patches(
        samples,
        trainee.config.normalisation,
        required(settings.patch),
        settings.seed,
        required(settings.geometry),
        required(settings.intensity),
        settings.channels,
        settings.border,
        trainee.network.geometry.margin,
        settings.scales,
        required(settings.blanks),
    )


class BestModel:
    """The best model of a run: written to the run folder, and kept in memory for the end of the run."""

    def __init__(self, trainee: Trainee, folder: RunFolder, validation: Validation) -> None:
        self.trainee, self.folder, self.validation = trainee, folder, validation
        self.views: list[View] | None = None
        self._weights: checkpoint.Weights | None = None

    def keep(self) -> None:
        """Keep the network as it is now, and what the last validation showed of it."""
        self._weights = checkpoint.weights(self.trainee.network)
        checkpoint.save_weights(self.folder.model, self._weights, self.trainee.config)
        self.views = self.validation.views

    def model(self, device: str) -> Model:
        """Return the best model on a device; loaded from the run folder only where it is not in memory."""
        if self._weights is None:  # an earlier part of the run kept it, or another process
            return load(self.folder.path, device)
        network = self.trainee.network
        network.load_state_dict(self._weights)
        network.to(find_device(device)).eval().requires_grad_(False)
        return Model(TorchRunner(network), self.trainee.config)


def _report(best: BestModel, model: Model) -> None:
    """Draw the run's report; a training that is done does not fail for want of a picture."""
    try:
        run = Shown(best.folder, model, best.views)
        write_run_report(best.folder.path, run, best.validation.samples)
    except Exception as error:
        reason = " ".join(str(error).split())
        print(f"the report of {best.folder.path} could not be drawn: {reason}", file=sys.stderr)


def _summary(settings: TrainSettings, recorder: Recorder, steps: int) -> str:
    """What there is at the end of a run, in words."""
    folder = RunFolder(settings.out)
    score = "" if recorder.best == -math.inf else f", best {settings.monitor} {abs(recorder.best):.4f}"
    shown = f"; see {folder.report}" if folder.report.exists() else ""
    return f"{folder.path}: {steps} steps done{score}; model kept in {checkpoint.locate(folder.path)}{shown}"
