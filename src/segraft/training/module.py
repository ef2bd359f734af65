"""One optimisation step of a teacher or a student, for Lightning."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from segraft.errors import choose
from segraft.graphs.affinity import BACKGROUNDS, unit_affinities
from segraft.graphs.embedding import unit
from segraft.losses import supervised, weighted_sum
from segraft.losses.distiller import Distiller, Lesson
from segraft.networks.contract import Network, centre
from segraft.settings import OPTIMIZERS, TrainSettings, required
from segraft.signals import ignore
from segraft.tensors import Output
from segraft.training.batches import Batches
from segraft.training.function_teacher import FunctionTeacher
from segraft.training.mixture import Mixture
from segraft.training.patches import Patches
from segraft.training.pool import Pool
from segraft.types import Offsets
from segraft.weights import SUPERVISED_WEIGHTS


class TrainingModule(lightning.LightningModule):
    """A network with its loss terms (Eq. 8), optimiser and training batches.

    The teacher is no submodule: it is in no checkpoint, gets no gradient and stays in eval mode. From a pool of patches
    its outputs come with them, labels that it made of whole images with any patches, and it is not needed. ``terms``
    are the unweighted loss terms of the last step, by name.
    """

    def __init__(
        self,
        network: Network,
        offsets: Offsets,
        settings: TrainSettings,
        patches: Patches | Mixture | Pool,
        distiller: Distiller | None = None,
        teacher: Network | FunctionTeacher | None = None,
    ) -> None:
        super().__init__()
        self.background = required(settings.background)
        choose("background", self.background, BACKGROUNDS)
        self.network, self.distiller = network, distiller
        self.offsets, self.settings, self.patches = offsets, settings, patches
        self.weights = taught_weights(settings, distiller)
        self._teacher = [teacher.eval().requires_grad_(False)] if teacher is not None else []
        self.terms: dict[str, Tensor] = {}

    network: Network

    @property
    def teacher(self) -> Network | FunctionTeacher | None:
        """What the network learns from, where it is asked in each step."""
        return next(iter(self._teacher), None)

    def on_fit_start(self) -> None:
        """Bring the teacher to the student's device."""
        for teacher in self._teacher:
            teacher.to(self.device)

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """Total loss of a batch."""
        image, labels, *taught = batch
        if image.ndim == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        terms = self.loss_terms(image, labels, _as_taught(taught))
        self.terms = {name: term.detach() for name, term in terms.items()}
        return weighted_sum(terms, self.weights)

    def loss_terms(self, image: Tensor, labels: Tensor, taught: Output | Tensor | None = None) -> dict[str, Tensor]:
        """Unweighted terms by name, for images ``(B, C, *space)`` and labels ``(B, *space)``.

        ``taught`` is the teacher's output for them, or its labels ``(B, *space)``, where it is known already.
        """
        output = self.network.features(image)
        space = tuple(output.embedding.shape[2:])
        labels = centre(labels, space)
        units = unit(output.embedding)
        affinities = unit_affinities(units, self.offsets)
        terms = {
            "affinity": supervised.affinity(affinities, labels, self.offsets, self.background),
            "foreground": supervised.foreground(output.foreground, labels),
        }
        if self.distiller is not None:
            teacher = teacher_output(self._teacher[0], image, space) if taught is None else taught
            teacher = centre(teacher, space) if isinstance(teacher, Tensor) else teacher
            terms |= self.distiller.learn(Lesson(output, teacher, labels, self.offsets, units, affinities))
        return terms

    def configure_optimizers(self) -> Any:
        """The optimiser, and its learning rate as a function of the step."""
        settings = self.settings
        optimizer = getattr(torch.optim, OPTIMIZERS[settings.optimizer])(
            self.parameters(), lr=settings.rate, betas=settings.betas, weight_decay=settings.decay
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate_factor(settings))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def train_dataloader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Batches from the current step on."""
        batches = Batches(
            self.patches,
            required(self.settings.batch),
            self.global_step,
            self.settings.steps,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        workers = self.settings.workers
        return DataLoader(batches, batch_size=None, num_workers=workers, worker_init_fn=_leave_signals)


@torch.no_grad()
def teacher_output(teacher: Network | FunctionTeacher, image: Tensor, space: tuple[int, ...]) -> Output | Tensor:
    """What a teacher makes of the middle of images ``(B, C, *patch)``: an output ``(B, D, *space)``, with its stages.

    A function may give labels ``(B, *space)`` in place of that. A network sees as much as it needs, which may be less
    than the student sees: valid networks of other depths have other margins.
    """
    if isinstance(teacher, FunctionTeacher):
        return teacher(image, space)
    geometry = teacher.geometry
    window = geometry.input_size(space)
    for axis, (size, inner, margin) in enumerate(zip(window, space, geometry.margin, strict=True), start=2):
        extra = size - 2 * margin - inner
        image = image.narrow(axis, (image.shape[axis] - inner) // 2 - margin - extra // 2, size)
    output = teacher.features(image)
    return Output(centre(output.embedding, space), centre(output.foreground, space), output.stages)


def _as_taught(tensors: Sequence[Tensor]) -> Output | Tensor | None:
    """What a batch holds of the teacher beside images and labels: an output, labels alone, or nothing."""
    if len(tensors) == 1:
        return tensors[0].long()
    return Output(tensors[0], tensors[1], tuple(tensors[2:])) if tensors else None


def taught_weights(settings: TrainSettings, distiller: Distiller | None) -> dict[str, float]:
    """Weights of the terms that there are; a teacher that gives labels teaches fewer than the method."""
    weights = settings.term_weights()
    if distiller is None or distiller.terms is None:
        return weights
    return {name: weight for name, weight in weights.items() if name in (*SUPERVISED_WEIGHTS, *distiller.terms)}


def rate_factor(settings: TrainSettings) -> Callable[[int], float]:
    """Learning rate after a number of steps, as part of ``settings.rate``."""

    def factor(step: int) -> float:
        if step < settings.warmup:
            return (step + 1) / settings.warmup
        if settings.schedule == "constant":
            return 1.0
        progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
        return (1 + math.cos(math.pi * min(1.0, progress))) / 2

    return factor


def _leave_signals(_: int) -> None:
    """Let signals end the training process in order, which then ends its workers."""
    ignore()
