"""Training: a teacher, a student on labels alone, and a student distilled from a teacher."""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from segraft.data import open_dataset
from segraft.errors import UserError, choose
from segraft.files import write_text
from segraft.graphs.affinity import OFFSETS
from segraft.images.normalisation import Normalisation
from segraft.losses import DISTILLERS
from segraft.model import checkpoint
from segraft.model.model import Model, load
from segraft.model.torch_runner import find_device
from segraft.networks import NETWORKS, complexity, create_network, dimensions, pyramid
from segraft.reporting import page
from segraft.run_folder import RunFolder
from segraft.settings import BY_DIMENSION, PRECISIONS, DistillSettings, TrainSettings, given, make, plain, read_config
from segraft.training.patches import Patches
from segraft.types import Offsets, Sample

try:
    import lightning
    from lightning.pytorch.callbacks import TQDMProgressBar
    from lightning.pytorch.utilities import rank_zero_only
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from segraft.training.callbacks import Keeper, Stopped
    from segraft.training.module import Learner
except ImportError as error:
    raise UserError(f"training is not installed ({error}); wanted: pip install 'segraft[train]'") from error

FREE_TO_CHANGE = {"out", "resume", "device", "workers"}
"""Settings that a resumed run may change: they decide where it runs, not what it computes."""
SHORT = {"affinity": "aff", "foreground": "fg", "intra_": "i.", "inter_": "x."}
"""Names of terms in the progress bar: i within images, x across images."""
FRAGMENT = 0.05
"""Part of the median object's size below which a segment counts as a fragment."""


def settings_of(kind: type[TrainSettings], dataset: str | None, config: Any, given: dict[str, Any]) -> TrainSettings:
    given = given | ({"dataset": dataset} if dataset is not None else {})
    return make(kind, _changed(read_config(config), given) if config is not None else given)


def _changed(recorded: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Recorded settings with changes; what was recorded for another method, width or dimension goes."""
    gone = {"filters": ("width",), "width": ("filters",)}
    dropped = {name for change in given for name in gone.get(change, ())}
    if given.get("method", recorded.get("method")) != recorded.get("method"):
        dropped.add("weights")
    before, now = recorded.get("network"), given.get("network")
    if before in NETWORKS and now in NETWORKS and dimensions(before) != dimensions(now):
        dropped |= set(BY_DIMENSION[2])
    kept = {name: value for name, value in recorded.items() if name not in dropped}
    both = {name: (kept.get(name), given.get(name)) for name in ("weights", "options")}
    merged = {name: {**a, **b} for name, (a, b) in both.items() if isinstance(a, dict) and isinstance(b, dict)}
    return kept | given | merged


def _complete(settings: Any) -> Any:
    return settings.for_dimension(dimensions(settings.network))


def run(settings: TrainSettings) -> Model:
    """Train as the settings say, from the beginning or from the run folder's last checkpoint."""
    settings = _complete(settings)
    last = _open_run_folder(settings)
    training = open_dataset(settings.dataset, settings.root, "train", **settings.options)
    model = _new_model(settings, training[0])
    patches = Patches(
        training,
        Normalisation(settings.low, settings.high),
        given(settings.patch),
        settings.seed,
        given(settings.geometry),
        given(settings.intensity),
        settings.channels,
        settings.border,
        model.network.context,
    )
    if settings.minimum_size is None:
        model.config["segmentation"]["minimum_size"] = round(patches.median_size() * FRAGMENT)
    learner = Learner(model, settings, patches, _validation_images(settings, model), *_distiller(settings, model))
    keeper = Keeper(settings, lambda: checkpoint.save(settings.out, model.network, model.config))
    trainer = _trainer(settings, keeper)
    _write_config(settings)
    with _interruptible(keeper), _quiet():
        trainer.fit(learner, ckpt_path=last, weights_only=True)
    if trainer.is_global_zero:
        if page.available():
            _report(settings.out)
        print(_told(settings, keeper, trainer.global_step))
    return load(settings.out, device=settings.device)


def _told(settings: TrainSettings, keeper: Keeper, steps: int) -> str:
    """What there is at the end of a run, in words."""
    folder = RunFolder(settings.out)
    score = "" if keeper.best == -math.inf else f", best {settings.monitor} {abs(keeper.best):.4f}"
    shown = f"; see {folder.report}" if folder.report.exists() else ""
    return f"{settings.out}: {steps} steps done{score}; model kept in {checkpoint.locate(settings.out)}{shown}"


def _report(out: Path) -> None:
    """Draw the run's report; a training that is done does not fail for want of a picture."""
    try:
        page.write_run_report(out)
    except Exception as error:
        print(f"the report of {out} could not be drawn: {' '.join(str(error).split())}", file=sys.stderr)


def _open_run_folder(settings: TrainSettings) -> Path | None:
    """Refuse a run folder that cannot be used; return the checkpoint to resume from, if there is one."""
    folder = RunFolder(settings.out)
    recorded, last = folder.config, folder.last
    if settings.resume:
        if not recorded.exists():
            raise UserError(f"nothing to resume in {settings.out}: no {recorded.name}; start without --resume")
        before, now = plain(_complete(make(type(settings), read_config(recorded)))), plain(settings)
        changed = [name for name in now if name not in FREE_TO_CHANGE and before.get(name) != now[name]]
        if changed:
            raise UserError(f"{settings.out} was run with another {', '.join(changed)}; resume with the same settings")
        if last.exists() and not zipfile.is_zipfile(last):
            raise UserError(f"{last} is cut short; copy it again, or start again with another --out")
        return last if last.exists() else None
    rank = getattr(rank_zero_only, "rank", 0)
    if recorded.exists() and not rank:  # other ranks start when the first has made it
        raise UserError(f"{settings.out} holds a run already; --resume continues it, another --out starts a new one")
    return None


@rank_zero_only
def _write_config(settings: TrainSettings) -> None:
    """Make the run folder."""
    text = yaml.safe_dump(plain(replace(settings, resume=False)), sort_keys=False)
    write_text(RunFolder(settings.out).config, text)


def _validation_images(settings: TrainSettings, model: Model) -> Sequence:
    """Images to choose the best model by, each tried once: a bad one is told before training, not after hours."""
    samples = open_dataset(settings.dataset, settings.root, "val", **settings.options)[: settings.validation_images]
    labelled = 0
    for sample in samples:
        labelled += sample.labels is not None
        try:
            model.normalisation(model.channels_first(sample.image, None))
        except UserError as error:
            raise UserError(f"{sample.name}: {error}") from error
    if not labelled:
        came = f"{len(samples)} validation images of {settings.dataset} came, none with labels"
        raise UserError(f"{came}; wanted at least one to choose the best model by; add labels")
    return samples


def _new_model(settings: TrainSettings, sample: Sample) -> Model:
    """A model with fresh weights from the seed, or those of ``init``."""
    in_channels = len(settings.channels) if settings.channels is not None else len(sample.image)
    if settings.width is not None and settings.filters is not None:
        raise UserError(f"both width {settings.width} and filters {settings.filters} came; give one")
    filters = settings.filters if settings.width is None else pyramid(settings.network, settings.width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = create_network(settings.network, in_channels, settings.dim, filters)
    complexity(network, (1, in_channels, *given(settings.patch)))  # says what does not fit before anything is written
    config = _config(settings, network, sample, filters)
    if settings.init is not None:
        before = load(settings.init, device="cpu")
        try:
            network.load_state_dict(before.network.state_dict())
        except RuntimeError as error:
            raise UserError(
                f"{settings.init} holds the network {before.config['network']}; "
                f"the settings ask for {config['network']}; make them agree"
            ) from error
    if network.ndim == 2:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Model(network, config)


def _offsets(settings: TrainSettings, ndim: int) -> Offsets:
    """The offsets of a run, which must have as many numbers as its images have axes."""
    offsets = choose("offsets", given(settings.offsets), OFFSETS)
    if len(offsets[0]) != ndim:
        fitting = " or ".join(name for name, each in OFFSETS.items() if len(each[0]) == ndim)
        raise UserError(f"offsets {settings.offsets} came for a network in {ndim} dimensions; wanted {fitting}")
    return offsets


def _config(settings: TrainSettings, network: Any, sample: Sample, filters: tuple[int, ...] | None) -> dict[str, Any]:
    """What a checkpoint tells about the model beside its weights."""
    offsets = _offsets(settings, network.ndim)
    told = ("dataset", "seed", "steps", "batch", "patch", "method")
    return {
        "network": {
            "name": settings.network,
            "in_channels": network.in_channels,
            "dim": settings.dim,
            "filters": list(filters) if filters is not None else None,
        },
        "normalisation": {"low": settings.low, "high": settings.high},
        "offsets": [list(offset) for offset in offsets],
        "voxel_size": list(sample.voxel_size) if sample.voxel_size is not None else None,
        "channels": list(settings.channels) if settings.channels is not None else None,
        "segmentation": {
            "segmenter": "mutex" if len(offsets) > network.ndim else "waterz",  # which needs no long offsets
            "foreground": settings.foreground,
            "minimum_size": settings.minimum_size,
        },
        "training": {name: value for name, value in plain(settings).items() if name in told},
    }


def _distiller(settings: TrainSettings, model: Model) -> tuple[nn.Module | None, nn.Module | None]:
    """The distillation loss with its own state, and the teacher's network; neither for training on labels alone."""
    if not isinstance(settings, DistillSettings) or settings.method == "none":
        return None, None
    teacher = load(settings.teacher, device="cpu")
    if settings.method == "spkd" and given(settings.batch) < 2:
        raise UserError("spkd came with batches of 1; it compares images of a batch; wanted --batch 2 or more")
    theirs, ours = (
        {
            "ndim": each.network.ndim,
            **each.config["network"],
            **vars(each.normalisation),
            "channels": each.config.get("channels") or list(range(each.network.in_channels)),
        }
        for each in (teacher, model)
    )
    for name in ("ndim", "in_channels", "channels", "dim", "low", "high"):
        if theirs[name] != ours[name]:
            came = f"the teacher {settings.teacher} has {name} {theirs[name]}, the student {ours[name]}"
            raise UserError(f"{came}; wanted the same, for both see the same images")
    patch = given(settings.patch)
    _check_sight(settings, model.network, teacher.network, patch)
    bank = {"memory": settings.memory, "contrast": settings.contrast, "seed": settings.seed}
    own = bank if settings.method == "graph" else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        kind: Any = DISTILLERS[settings.method]
        return kind.for_networks(model.network, teacher.network, patch, model.offsets, **own), teacher.network


def _check_sight(settings: DistillSettings, student: Any, teacher: Any, patch: tuple[int, ...]) -> None:
    """Refuse patches in which the teacher does not see all that it needs for the student's output."""
    output = tuple(size - 2 * lost for size, lost in zip(patch, student.context, strict=True))
    needed = teacher.input_size(output)
    if any(window > size for window, size in zip(needed, patch, strict=True)):
        raise UserError(
            f"patches of {patch} pixels came; the teacher {settings.teacher} needs {needed} for the student's "
            f"output of {output}; give larger patches that fit both"
        )


def _trainer(settings: TrainSettings, keeper: Keeper) -> lightning.Trainer:
    kind = find_device(settings.device).type
    try:
        with _quiet():
            return lightning.Trainer(
                max_steps=settings.steps,
                accelerator={"cuda": "gpu"}.get(kind, kind),
                devices=settings.devices,
                precision=PRECISIONS[settings.precision],  # type: ignore[arg-type]
                callbacks=[Progress(keeper), keeper],
                gradient_clip_val=settings.clip,
                logger=False,
                enable_checkpointing=False,
                enable_model_summary=False,
                use_distributed_sampler=False,
                default_root_dir=settings.out,
            )
    except MisconfigurationException as error:
        came = f"{settings.devices} devices of kind {kind} with {settings.precision} cannot be used"
        raise UserError(f"{came} ({' '.join(str(error).split())}); choose others") from error


class Progress(TQDMProgressBar):
    """A bar over all steps with the unweighted loss terms, names shortened, and the last validation score."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__(refresh_rate=5)
        self.keeper = keeper

    @property
    def total_train_batches(self) -> int:
        """Steps of the whole run."""
        return self.trainer.max_steps

    def get_metrics(self, trainer: lightning.Trainer, learner: Any) -> dict[str, int | str | float | dict[str, float]]:
        """What stands behind the bar."""
        shown = {name: float(term) for name, term in learner.terms.items()}
        shown |= {name: score for name, score in self.keeper.scores.items() if name == self.keeper.settings.monitor}
        return {_short(name): f"{value:.2g}" for name, value in shown.items()}


def _short(name: str) -> str:
    for long, short in SHORT.items():
        name = name.replace(long, short)
    return name


@contextmanager
def _interruptible(keeper: Keeper) -> Iterator[None]:
    """The first Ctrl-C ends training after the current step, with a checkpoint; a second one ends it at once."""

    def interrupt(*_: Any) -> None:
        if keeper.interrupted:
            raise Stopped(f"stopped at once; go on from the last checkpoint with: {keeper.command()}")
        keeper.interrupted = True

    if threading.current_thread() is not threading.main_thread():  # where Python has no signals
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Lightning's notices about hardware and advice about loaders from the user."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            yield
    finally:
        logger.setLevel(level)
