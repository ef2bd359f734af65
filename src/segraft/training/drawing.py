"""The patches of a run: of images with labels and without, with what a teacher that is no network labelled."""

from __future__ import annotations

from collections.abc import Sequence

from segraft.data.strips import FEW
from segraft.data.teacher_labels import TeacherLabels, open_teacher_labels
from segraft.errors import UserError
from segraft.files import some
from segraft.settings import DistillSettings, TrainSettings, required
from segraft.terminal.progress import say
from segraft.training.building import Trainee
from segraft.training.mixture import Mixture
from segraft.training.opening import rank
from segraft.training.patches import Patches


def teacher_labels(settings: TrainSettings, samples: Sequence) -> TeacherLabels | None:
    """The label images that teach; None where nothing or something else does. Raises ``UserError`` where none is."""
    if not isinstance(settings, DistillSettings) or settings.teacher_labels is None or settings.method == "none":
        return None
    strips = settings.dataset == "folder" and len(samples) <= FEW
    return open_teacher_labels(settings.teacher_labels, strips)


def new_patches(settings: TrainSettings, samples: Sequence, trainee: Trainee, taught: TeacherLabels | None) -> Patches:
    """Patches of samples, with what is ``taught`` of them."""
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
        taught.of if taught else None,
    )


def with_unlabelled(settings: TrainSettings, labelled: Patches, unlabelled: Patches | None) -> Patches | Mixture:
    """All patches in one sequence. Says how many images a teacher labelled; ``UserError`` where it labelled none."""
    if not isinstance(settings, DistillSettings):
        return labelled
    if labelled.taught:
        _tell_taught(settings, [labelled] if unlabelled is None else [labelled, unlabelled])
    return labelled if unlabelled is None else Mixture(labelled, unlabelled, settings.unlabelled_part)


def _tell_taught(settings: DistillSettings, kinds: Sequence[Patches]) -> None:
    counts = [each.labelled_by_teacher() for each in kinds]
    if not any(counts):
        raise UserError(
            f"teacher_labels: got labels in {settings.teacher_labels}, none of them of a training image "
            f"({some(kinds[-1].names)}); expected the same names, up to endings such as _masks; rename them"
        )
    if not rank():
        found = zip(counts, kinds, ("with", "without"), strict=False)
        words = (f"{count} of {len(each.names)} images {kind} labels" for count, each, kind in found)
        say(f"teacher: labels in {settings.teacher_labels} of {' and '.join(words)}")
