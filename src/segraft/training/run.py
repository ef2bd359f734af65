"""Training: a teacher, a student on labels alone, and a student distilled from a teacher."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from segraft.data import open_dataset
from segraft.data.masks import check_told
from segraft.errors import UserError
from segraft.images.voxel_size import alike, in_nm
from segraft.labels.diameters import typical_of_images
from segraft.labels.masks import Masks
from segraft.metrics.scores import finds_nothing
from segraft.model import checkpoint, model_file
from segraft.model.model import Model
from segraft.model.torch_runner import TorchRunner
from segraft.networks import dimensions
from segraft.networks.contract import set_prior
from segraft.reporting import page
from segraft.reporting.page import PICTURES, Shown
from segraft.reporting.run_report import write_run_report
from segraft.run_folder import RunFolder
from segraft.settings import DistillSettings, TrainSettings, required
from segraft.terminal.progress import say
from segraft.training.building import Trainee, new_distiller, new_trainee
from segraft.training.minimum_size import note_smaller, usual_minimum
from segraft.training.recorded import complete
from segraft.training.workers import in_their_words, refuse_import, usable

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback

try:
    from segraft.training.best_model import BestModel
    from segraft.training.caching import open_cache
    from segraft.training.callbacks import Recorder
    from segraft.training.drawing import new_patches, teacher_labels, with_unlabelled
    from segraft.training.interruption import interruptible
    from segraft.training.module import TrainingModule
    from segraft.training.opening import as_begun, checkpoint_to_resume, rank, record_settings
    from segraft.training.thresholds import THRESHOLDS
    from segraft.training.together import machines, together
    from segraft.training.trainer import new_trainer, quiet
    from segraft.training.unlabelled import read_unlabelled
    from segraft.training.validation import open_validation
except ImportError as error:
    raise UserError(f"training is not installed ({error}); expected it; run: pip install 'segraft[train]'") from error


def run(settings: TrainSettings, watching: Sequence[Callback] = ()) -> Model:
    """Train as the settings say, from the beginning or from the run folder's last checkpoint; return the best model.

    ``watching`` are called in the training before anything is recorded of a step.

    Raises ``UserError`` for settings that cannot work, and ``Stopped`` after Ctrl-C.
    """
    refuse_import()
    machines(settings.devices)  # before anything is read
    settings = complete(as_begun(settings))
    last = checkpoint_to_resume(settings)
    samples = open_dataset(settings.dataset, settings.root, "train", **settings.options)
    trainee = new_trainee(settings, samples[0])
    taught = teacher_labels(settings, samples)
    patches = new_patches(settings, samples, trainee, taught)
    _check_masks(patches.masks, settings)
    known = _trained_sizes(settings)
    if settings.init is None:
        set_prior(trainee.network, patches.foreground_share())
    trainee = _with_sizes(trainee, settings, patches.object_sizes()).knowing(**patches.scale())
    model = Model(TorchRunner(trainee.network), trainee.config)
    validation = open_validation(settings, model, PICTURES if page.available() else 0)
    settings = replace(settings, monitor=validation.monitor)
    best = BestModel(trainee, RunFolder(settings.out), validation)
    working = replace(settings, workers=usable(settings.workers))
    others = read_unlabelled(settings, samples[0], trainee, validation)
    drawn = with_unlabelled(settings, patches, new_patches(settings, others, trainee, taught) if others else None)
    _compare(drawn.pixel_sizes | known)
    distiller, teacher = new_distiller(settings, trainee, drawn)
    cache = open_cache(settings, drawn, trainee.network, distiller, teacher)
    source, teacher = (cache.pool, None) if cache else (drawn, teacher)
    module = TrainingModule(trainee.network, trainee.config.offsets, working, source, distiller, teacher)
    recorder = Recorder(settings, lambda: validation.run(model), best.keep)
    trainer = new_trainer(settings, recorder, watching)
    record_settings(settings)
    with interruptible(recorder), quiet(), in_their_words():
        if cache:
            cache.make()
        with together(trainer, recorder.command()):
            trainer.fit(module, ckpt_path=last, weights_only=True)
        found = best.model(settings.device)
        if settings.tune and trainer.is_global_zero:
            found = best.tuned(found, settings, recorder)
    if trainer.is_global_zero:
        _report(best, found)
        print(*_ending(settings, trainer.global_step), sep="\n")
    return found


def _check_masks(masks: Masks, settings: TrainSettings) -> None:
    """Refuse masks of which no objects can be learnt."""
    if masks.images and not masks.objects:
        raise UserError(
            f"masks of {settings.dataset}: got {masks.images} for training, none with an object, expected a number "
            "above 0 for each; check that they were exported with their values"
        )
    check_told(masks, settings.dataset, settings.options)


def _with_sizes(trainee: Trainee, settings: TrainSettings, objects: Sequence[np.ndarray]) -> Trainee:
    """The trainee with its objects' size, and the minimum size that is given or that suggests; say what it loses."""
    given, sizes, ndim = settings.minimum_size, np.concatenate(objects), trainee.network.ndim
    minimum = usual_minimum(sizes, ndim) if given is None else given
    if (note := note_smaller(sizes, minimum)) and not rank():
        say(note)
    return trainee.segmenting(minimum_size=minimum).knowing(object_size=typical_of_images(objects, ndim))


def _trained_sizes(settings: TrainSettings) -> dict[tuple[float, ...], str]:
    """Pixel sizes of what the models that a run begins with, or learns from, were trained on, with their files.

    Those of other dimensions are left out: such models are refused.
    """
    teacher = settings.teaching_network if isinstance(settings, DistillSettings) else None
    models = [path for path in (settings.init, teacher) if path is not None]
    sizes = {path: checkpoint.read(path)[1].voxel_size for path in models}  # an exported model is refused
    ndim = dimensions(settings.network)
    return {size: str(path) for path, size in sizes.items() if size is not None and len(size) == ndim}


def _compare(sizes: dict[tuple[float, ...], str]) -> None:
    """Tell of images whose pixels differ in size: what is learnt on one is not found on the other."""
    if not sizes or rank():
        return
    first = next(iter(sizes))
    other = max(sizes, key=lambda size: max(max(a / b, b / a) for a, b in zip(size, first, strict=True)))
    if not alike(first, other):
        say(
            f"pixel sizes differ: {in_nm(first)} ({sizes[first]}), {in_nm(other)} ({sizes[other]}), and all are taken "
            f"for {in_nm(first)}; resize the images to one size; predict brings others to it with --voxel-size"
        )


def _report(best: BestModel, model: Model) -> None:
    """Draw the run's report, if it can be drawn; a training that is done does not fail for want of a picture."""
    if not page.available():
        return
    try:
        run = Shown(best.folder, model, best.views)
        write_run_report(best.folder.path, run, best.validation.samples)
    except Exception as error:
        reason = " ".join(str(error).split())
        print(f"the report of {best.folder.path} could not be drawn: {reason}", file=sys.stderr)


def _ending(settings: TrainSettings, steps: int) -> list[str]:
    """What there is at the end of a run, in words; also where it is not what the user hoped for."""
    folder = RunFolder(settings.out)
    best, score, advice = folder.best_validation(), "", []
    if best is not None:
        scores, monitor = best["val"], required(settings.monitor)
        score = f", best {monitor} {scores[monitor]:.4f} at step {best['step']}{_at_threshold(settings, scores)}"
        advice = [_advice(settings, scores)] if finds_nothing(scores) else []
    shown = f"; see {folder.report}" if folder.report.exists() else ""
    return [f"{folder.path}: {steps} steps done{score}; model kept in {model_file.locate(folder.path)}{shown}", *advice]


def _at_threshold(settings: TrainSettings, scores: Mapping[str, float]) -> str:
    """The foreground threshold that was chosen; nothing where the user gave it."""
    chosen = scores.get("foreground_threshold")
    return "" if chosen is None or settings.foreground_threshold is not None else f" (foreground threshold {chosen:g})"


def _advice(settings: TrainSettings, scores: Mapping[str, float]) -> str:
    """What to do where the best model finds nothing."""
    tried = THRESHOLDS if settings.foreground_threshold is None else (settings.foreground_threshold,)
    return (
        f"the best model finds none of the {scores['fn']:.0f} objects of the validation images, with foreground "
        f"thresholds of {', '.join(map(str, tried))}; train longer (--steps), try another --rate, and check that the "
        "masks fit the images"
    )
