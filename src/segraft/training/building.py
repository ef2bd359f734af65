"""What a run trains: a network with its configuration, and for a student the teacher and what it learns from it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch

from segraft.coerce import plain
from segraft.errors import UserError, choose
from segraft.graphs.offsets import OFFSETS
from segraft.losses import DISTILLERS
from segraft.losses.distiller import Distiller, Setup
from segraft.losses.label_affinity import LabelAffinity
from segraft.model import checkpoint
from segraft.model.config import ModelConfig, NetworkConfig, Segmentation
from segraft.networks import chosen_filters, complexity, create_network
from segraft.networks.contract import Network, channels_last
from segraft.settings import DistillSettings, TrainSettings, required
from segraft.terminal.progress import say
from segraft.training.function_teacher import FunctionTeacher
from segraft.training.mixture import Mixture
from segraft.training.opening import rank
from segraft.training.patches import Patches
from segraft.training.tuning import begin
from segraft.types import Offsets, Sample
from segraft.weights import METHOD_WEIGHTS, SUPERVISED_WEIGHTS

RECORDED = ("dataset", "seed", "steps", "batch", "patch", "method", "cache")
"""Settings that a model file tells about its training, beside the number of threads, on which last digits depend."""


@dataclass(frozen=True)
class Trainee:
    """A network with what will be stored beside its weights."""

    network: Network
    config: ModelConfig

    def segmenting(self, **choices: int | float | None) -> Trainee:
        """The same, with those choices of its segmentation that are not None."""
        return replace(self, config=replace(self.config, segmentation=self.config.segmentation.changed(**choices)))

    def knowing(self, **facts: Any) -> Trainee:
        """The same, with facts of its training images: fields of the configuration by name."""
        return replace(self, config=replace(self.config, **facts))


def new_trainee(settings: TrainSettings, sample: Sample) -> Trainee:
    """A network with fresh weights from the seed, or those of ``init``, for images like a sample.

    Raises ``UserError`` for settings that do not fit together, before anything is written.
    """
    in_channels = len(settings.channels) if settings.channels is not None else len(sample.image)
    filters = chosen_filters(settings.network, settings.filters, settings.width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = create_network(settings.network, in_channels, required(settings.dim), filters)
    complexity(network, (1, in_channels, *required(settings.patch)))  # says which sizes do not fit
    config = _config(settings, network, sample, filters)
    if settings.init is not None:
        begin(network, settings.init, settings, config.network, len(sample.image))
    return Trainee(channels_last(network), config)


def _offsets(settings: TrainSettings, ndim: int) -> Offsets:
    """The offsets of a run, which must have as many numbers as its images have axes."""
    offsets = choose("offsets", required(settings.offsets), OFFSETS)
    if len(offsets[0]) != ndim:
        fitting = " or ".join(name for name, each in OFFSETS.items() if len(each[0]) == ndim)
        raise UserError(f"offsets: got {settings.offsets} for a network in {ndim} dimensions, expected {fitting}")
    return offsets


def _config(settings: TrainSettings, network: Network, sample: Sample, filters: tuple[int, ...] | None) -> ModelConfig:
    """What a model file tells beside the weights."""
    offsets = _offsets(settings, network.ndim)
    return ModelConfig(
        network=NetworkConfig(settings.network, network.geometry.in_channels, network.geometry.dim, filters),
        offsets=offsets,
        percentiles=settings.percentiles,
        voxel_size=sample.voxel_size,
        channels=settings.channels,
        segmentation=Segmentation(
            segmenter="mutex" if len(offsets) > network.ndim else "waterz",  # which needs no long offsets
            fill=settings.border is not None,
        ).changed(foreground_threshold=settings.foreground_threshold),
        training={name: value for name, value in plain(settings).items() if name in RECORDED}
        | {"threads": torch.get_num_threads()},
    )


def new_distiller(
    settings: TrainSettings, student: Trainee, patches: Patches | Mixture
) -> tuple[Distiller | None, Network | FunctionTeacher | None]:
    """The distillation loss with its own state, and the teacher; neither for training on labels alone.

    There is no teacher where label images teach. A function is tried on one of the ``patches``.
    Raises ``UserError`` for a teacher that does not fit the student.
    """
    if not isinstance(settings, DistillSettings) or settings.method == "none":
        return None, None
    if settings.teacher_labels is not None:
        return new_label_distiller(settings), None
    if settings.teaching_function is not None:
        return _taught_by_function(settings, student, patches)
    teacher = Trainee(*checkpoint.restore(required(settings.teaching_network)))
    _check_alike(settings, student, teacher)
    _check_sight(settings, student.network, teacher.network, required(settings.patch))
    network = channels_last(teacher.network).eval().requires_grad_(False)
    return _method(settings, student, network), network


def _method(settings: DistillSettings, student: Trainee, teacher: Network | None) -> Distiller:
    """The distillation method of the settings for a teacher with an embedding."""
    setup = Setup(
        student=student.network,
        teacher=teacher,
        patch=required(settings.patch),
        offsets=student.config.offsets,
        batch=required(settings.batch) * settings.devices,
        bank_size=settings.bank_size,
        bank_samples=settings.bank_samples,
        seed=settings.seed,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return DISTILLERS[settings.method].from_setup(setup)


def _taught_by_function(
    settings: DistillSettings, student: Trainee, patches: Patches | Mixture
) -> tuple[Distiller, FunctionTeacher]:
    """What is learnt from a function, by what it gives of a patch that is the same for all seeds."""
    trial, *_ = patches.drawn_by(0)[0]
    teacher = FunctionTeacher(required(settings.teaching_function), trial, settings.border)
    if teacher.dim is None:
        return new_label_distiller(settings), teacher
    _check_method(settings, "an embedding")
    if teacher.dim != student.network.geometry.dim:
        raise UserError(
            f"dim: got {teacher.dim} of the teacher {teacher.name}, {student.network.geometry.dim} of the student, "
            f"expected the same; give --dim {teacher.dim}"
        )
    return _method(settings, student, None), teacher


def _check_method(settings: DistillSettings, given: str) -> None:
    """Refuse a method that compares what a teacher that is no network has not."""
    fitting = [name for name, terms in METHOD_WEIGHTS.items() if set(LabelAffinity.terms) <= set(terms)]
    if settings.method not in fitting:
        raise UserError(
            f"method: got {settings.method} with a teacher that gives {given} and has no stages to compare; "
            f"expected {' or '.join(fitting)}"
        )


def new_label_distiller(settings: DistillSettings) -> LabelAffinity:
    """What is learnt from a teacher that gives labels and no embedding; says what is not.

    Raises ``UserError`` for a method that needs more, and for weights of terms that there are not.
    """
    _check_method(settings, "labels")
    taught = (*SUPERVISED_WEIGHTS, *LabelAffinity.terms)
    off = [name for name in METHOD_WEIGHTS[settings.method] if name not in taught]
    if unknown := [name for name in settings.weights if name in off]:
        raise UserError(
            f"weights: got one of {unknown[0]}, which needs an embedding of the teacher, and it gives labels; omit it"
        )
    if not rank():
        say(f"teacher: it gives labels, whose affinities are learnt; without its embedding {', '.join(off)} are off")
    return LabelAffinity(required(settings.background))


def _check_alike(settings: DistillSettings, student: Trainee, teacher: Trainee) -> None:
    """Refuse a teacher that sees other images than the student, or speaks of them in other dimensions."""
    teachers, own = ({
        "ndim": each.network.ndim,
        "in_channels": each.network.geometry.in_channels,
        "channels": each.config.channels or tuple(range(each.network.geometry.in_channels)),
        "dim": each.network.geometry.dim,
        "percentiles": each.config.percentiles or "none (what images show)",
    } for each in (teacher, student))  # fmt: skip
    for name, value in teachers.items():
        if value != own[name]:
            raise UserError(
                f"{name}: got {value} of the teacher {settings.teacher}, {own[name]} of the student, expected the "
                "same, for both see the same images; change the student's settings"
            )


def _check_sight(settings: DistillSettings, student: Network, teacher: Network, patch: tuple[int, ...]) -> None:
    """Refuse patches in which the teacher does not see all that it needs for the student's output."""
    output = tuple(size - 2 * lost for size, lost in zip(patch, student.geometry.margin, strict=True))
    needed = teacher.geometry.input_size(output)
    if any(window > size for window, size in zip(needed, patch, strict=True)):
        raise UserError(
            f"patch: got {patch} pixels, expected {needed} or more, which the teacher {settings.teacher} needs for the "
            f"student's output of {output}; give larger patches that fit both"
        )
