"""One optimisation step of a teacher or a student, for Lightning."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from segraft.errors import choose
from segraft.graphs.affinity import BACKGROUNDS, unit_affinities
from segraft.graphs.embedding import unit
from segraft.losses import supervised, weighted_sum
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.model import Model
from segraft.networks.contract import centre
from segraft.settings import OPTIMIZERS, TrainSettings, given
from segraft.tensors import Output
from segraft.training.batches import Batches
from segraft.training.patches import Patches


class Learner(lightning.LightningModule):
    """A network with its loss terms (Eq. 8), optimiser, training batches and validation by segmentation scores.

    The teacher is no submodule: it is in no checkpoint, gets no gradient and stays in eval mode. ``terms`` are the
    unweighted loss terms of the last step, by name.
    """

    def __init__(
        self,
        model: Model,
        settings: TrainSettings,
        patches: Patches,
        validation: Sequence,
        distiller: nn.Module | None = None,
        teacher: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.background = given(settings.background)
        choose("background", self.background, BACKGROUNDS)
        self.network: Any = model.network
        self.distiller = distiller
        self.model, self.settings, self.patches, self.validation = model, settings, patches, validation
        self.weights = settings.term_weights()
        self._teacher: list[Any] = [teacher.eval().requires_grad_(False)] if teacher is not None else []
        self.terms: dict[str, Tensor] = {}

    def on_fit_start(self) -> None:
        """Bring the teacher to the student's device."""
        for teacher in self._teacher:
            teacher.to(self.device)

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """Total loss of a batch."""
        image, labels = batch
        if image.ndim == 4:
            image = image.contiguous(memory_format=torch.channels_last)
        terms = self.loss_terms(image, labels)
        self.terms = {name: term.detach() for name, term in terms.items()}
        return weighted_sum(terms, self.weights)

    def loss_terms(self, image: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Unweighted terms by name, for images ``(B, C, *space)`` and labels ``(B, *space)``."""
        output = self.network.features(image)
        labels = centre(labels, output.embedding.shape[2:])
        units = unit(output.embedding)
        affinities = unit_affinities(units, self.model.offsets)
        terms = {
            "affinity": supervised.affinity(affinities, labels, self.model.offsets, self.background),
            "foreground": supervised.foreground(output.foreground, labels),
        }
        if self.distiller is not None:
            seen = look(self._teacher[0], image, tuple(output.embedding.shape[2:]))
            terms |= self.distiller(output, seen, labels, affinities, units)
        return terms

    def configure_optimizers(self) -> Any:
        """The optimiser, and its learning rate as a function of the step."""
        settings = self.settings
        optimizer = getattr(torch.optim, OPTIMIZERS[settings.optimizer])(
            self.parameters(), lr=settings.rate, betas=settings.betas, weight_decay=settings.decay
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate_factor(settings))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Batches from the current step on."""
        batches = Batches(
            self.patches,
            given(self.settings.batch),
            self.global_step,
            self.settings.steps,
            self.trainer.global_rank,
            self.trainer.world_size,
        )
        workers = self.settings.workers
        return DataLoader(batches, batch_size=None, num_workers=workers, worker_init_fn=_leave_interrupts)

    def validate(self) -> dict[str, float | int]:
        """Segment the validation images and score them; see ``summarise``."""
        return summarise(
            [
                evaluate(self.model.predict(sample.image), sample.labels)
                for sample in self.validation
                if sample.labels is not None
            ]
        )


@torch.no_grad()
def look(teacher: Any, image: Tensor, space: tuple[int, ...]) -> Output:
    """What a teacher makes of the middle of images ``(B, C, *patch)``: an output ``(B, D, *space)``, with its stages.

    It sees as much as it needs for that, which may be less than the student sees: valid networks of other depths have
    other contexts.
    """
    window = teacher.input_size(space)
    more = [size - 2 * lost - wanted for size, lost, wanted in zip(window, teacher.context, space, strict=True)]
    for axis, (size, wanted, lost, extra) in enumerate(zip(window, space, teacher.context, more, strict=True), start=2):
        begin = (image.shape[axis] - wanted) // 2 - lost - extra // 2
        image = image.narrow(axis, begin, size)
    seen = teacher.features(image)
    return Output(centre(seen.embedding, space), centre(seen.foreground, space), seen.stages)


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


def _leave_interrupts(_: int) -> None:
    """Let Ctrl-C end the training process in order, which then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
